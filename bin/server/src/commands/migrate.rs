use crate::Failure;
use crate::assembly::Assembly;
use crate::console::say;
use crate::settings::Settings;

/// Brings the schema up to date, whatever `database.migrate` says.
pub(crate) async fn run(mut settings: Settings) -> Result<(), Failure> {
    settings.database.migrate = true;
    let assembly = Assembly::open(&settings).await?;
    match &assembly.db {
        Some(db) => {
            say(format!("the schema on {} is up to date", db.engine()));
            db.close().await;
        }
        None => say("nothing in this build keeps data"),
    }
    Ok(())
}
