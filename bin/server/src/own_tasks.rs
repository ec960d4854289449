//! What the server itself does as tasks.

#[cfg(feature = "auth")]
mod queue;

use cgcg_tasks::{Handlers, Host, Name, Payload, QueueName, ScheduleCreate, Service};

use crate::Failure;
#[cfg(feature = "auth")]
pub(crate) use queue::queue;

/// Where the server's own tasks wait: those of clients never stand in their way.
const QUEUE: &str = "_server";
/// Of them at once, in one process, where the settings say nothing.
const SLOTS: u16 = 4;

/// The service with all that this build can do.
pub(crate) fn host(tasks: Service, #[cfg(feature = "auth")] auth: &cgcg_auth::Service) -> Host {
    let slots = tasks.settings().queues.get(QUEUE).copied();
    #[cfg(feature = "auth")]
    let auth = auth.clone();
    let handlers = move || {
        let handlers = Handlers::new();
        #[cfg(feature = "auth")]
        let handlers = handlers.and(of_auth(&auth));
        handlers
    };
    Host::new(tasks, &[(QUEUE, slots.unwrap_or(SLOTS))], handlers)
}

#[cfg(feature = "auth")]
fn of_auth(auth: &cgcg_auth::Service) -> Handlers {
    /// Mails that are sent at once.
    const MAILS: u16 = 10;
    let (mail, purge) = (auth.clone(), auth.clone());
    Handlers::new()
        .on_name("auth.mail", move |_, _| {
            let auth = mail.clone();
            async move {
                while auth.send_due(MAILS).await? == usize::from(MAILS) {}
                Ok(None)
            }
        })
        .on_name("auth.purge", move |_, _| {
            let auth = purge.clone();
            async move {
                let rows = auth.purge().await?;
                Ok(Payload::of(&serde_json::json!({ "rows": rows })).ok())
            }
        })
}

/// Sees to it that the server's own work comes again and again.
pub(crate) async fn open(tasks: &Service) -> Result<(), Failure> {
    let schedules: &[(&str, &str)] = &[
        // Mail that failed, and what a process left that died.
        #[cfg(feature = "auth")]
        ("auth.mail", "* * * * *"),
        #[cfg(feature = "auth")]
        ("auth.purge", "@hourly"),
    ];
    for (name, cron) in schedules {
        let schedule = ScheduleCreate {
            queue: Some(QueueName::parse(QUEUE)?),
            ..ScheduleCreate::new(*cron, Name::parse(*name)?, Payload::of(&())?)
        };
        tasks.ensure_schedule(name, schedule).await?;
    }
    Ok(())
}
