//! A PyTorch file: the zip and the pickle in it.

#![no_main]

use avocet_checkpoint::pickle::Pickle;
use avocet_fuzz::placed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = placed("pytorch_model.bin", data);
    if let Ok(file) = Pickle::open(&path) {
        file.tensors().for_each(drop);
    }
});
