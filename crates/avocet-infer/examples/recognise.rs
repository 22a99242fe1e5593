//! What a model's recogniser holds likely of pictures: `recognise MODEL PICTURE...`.

use std::error::Error;
use std::path::Path;

use avocet_checkpoint::ModelFiles;
use avocet_infer::Engine;
use avocet_media::{Limits, read};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or("which model?")?;
    let engine = Engine::load(&ModelFiles::open(Path::new(&model))?)?;
    let onlooker = engine.onlooker().ok_or("the model recognises nothing")?;
    let concepts = onlooker.concepts();
    for picture in args {
        let seen = onlooker.recognise(&read(Path::new(&picture), &Limits::default())?)?;
        let posterior = concepts.posterior(&seen.log_probs);
        println!("{picture}");
        for name in concepts.likely_names(&posterior, 5) {
            println!(
                "  {:.3} {}",
                posterior.names[name],
                concepts.table().names[name]
            );
        }
        for kind in concepts.likely_kinds(&posterior) {
            println!(
                "  {:.3} of kind {}",
                posterior.kinds[kind],
                concepts.table().kinds[kind]
            );
        }
    }
    Ok(())
}
