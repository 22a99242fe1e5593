//! The process that opens hostile media; `avocet_media::child` starts it and talks to it.

fn main() -> std::process::ExitCode {
    avocet_worker::main()
}
