//! Times the decoding of a video through the worker, for `tests/compare/frames.py`:
//! `frames scan FILE MAX_SIDE`, or `frames at FILE MAX_SIDE TIME...`. Prints how many frames came
//! and how many seconds they took, the start of the worker included.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use avocet_media::video;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, max_side, times @ ..] = arguments.as_slice() else {
        return Err("usage: frames scan|at FILE MAX_SIDE [TIME...]".into());
    };
    let (path, max_side) = (Path::new(path), max_side.parse()?);
    let start = Instant::now();
    let frames = match what.as_str() {
        "scan" => video::scan(path, max_side)?,
        "at" => {
            let times: Vec<f64> = times.iter().map(|t| t.parse()).collect::<Result<_, _>>()?;
            video::frames_at(path, &times, max_side)?
        }
        other => return Err(format!("{other}: scan or at").into()),
    };
    let (mut count, mut sum) = (0_u64, 0_u64);
    for frame in frames {
        let frame = frame?;
        count += 1;
        // What is not looked at might not be there.
        sum += frame
            .picture
            .rgb
            .iter()
            .step_by(4096)
            .map(|&b| u64::from(b))
            .sum::<u64>();
    }
    println!("{count} {:.4} {sum}", start.elapsed().as_secs_f64());
    Ok(())
}
