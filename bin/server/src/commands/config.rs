use crate::Failure;
use crate::cli::{Common, Config};
use crate::console::say;
use crate::settings::{Loaded, sample};

pub(crate) fn run(what: &Config, options: &Common) -> Result<(), Failure> {
    match what {
        Config::Sample => say(sample().trim_end()),
        Config::Show => say(Loaded::new(options)?.show()),
        Config::Check => {
            Loaded::new(options)?
                .warnings
                .iter()
                .for_each(|warning| say(format!("warning: {warning}")));
            say("the settings are right");
        }
    }
    Ok(())
}
