//! What the server itself does as tasks.

use std::sync::Arc;

use cgcg_core::{BoxFuture, Conn, Id, NewTask, SeamError, Task, TaskQueue, TaskStatus};
use cgcg_tasks::{Error, Handlers, Host, Name, Payload, QueueName, Service, TaskCreate};
use serde_json::Value;

use crate::Failure;

/// Where the server's own tasks wait: those of clients never stand in their way.
const QUEUE: &str = "_server";
/// Of them at once, in one process, where the settings say nothing.
const SLOTS: u16 = 4;

/// The service as features use it: what they store goes into the server's own queue.
pub(crate) fn queue(tasks: &Service) -> Arc<dyn TaskQueue> {
    Arc::new(OwnQueue(tasks.clone()))
}

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
        let schedule = cgcg_tasks::ScheduleCreate {
            queue: Some(QueueName::parse(QUEUE)?),
            ..cgcg_tasks::ScheduleCreate::new(*cron, Name::parse(*name)?, Payload::of(&())?)
        };
        tasks.ensure_schedule(name, schedule).await?;
    }
    Ok(())
}

struct OwnQueue(Service);

impl OwnQueue {
    fn task(new: NewTask) -> Result<TaskCreate, Error> {
        let invalid = |field| move |invalid| Error::Invalid { field, invalid };
        let name = Name::parse(new.name).map_err(invalid("name"))?;
        let payload = Payload::of(&new.payload).map_err(invalid("payload"))?;
        Ok(TaskCreate {
            queue: Some(QueueName::parse(QUEUE).map_err(invalid("queue"))?),
            run_at: new.run_at,
            unique_key: new.unique_key,
            ..TaskCreate::new(name, payload)
        })
    }
}

impl TaskQueue for OwnQueue {
    fn create_task<'a>(
        &'a self,
        name: &'a str,
        payload: Value,
    ) -> BoxFuture<'a, Result<Id<Task>, SeamError>> {
        Box::pin(async move {
            let new = NewTask {
                name: name.to_owned().into(),
                payload,
                run_at: None,
                unique_key: None,
            };
            Ok(self.0.create(Self::task(new)?).await?.id)
        })
    }

    fn create_task_in<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewTask,
    ) -> BoxFuture<'a, Result<Id<Task>, SeamError>> {
        Box::pin(async move { Ok(self.0.create_in(conn, Self::task(new)?).await?.id) })
    }

    fn get_task_status<'a>(
        &'a self,
        id: Id<Task>,
    ) -> BoxFuture<'a, Result<Option<TaskStatus>, SeamError>> {
        Box::pin(async move { Ok(self.0.get_task_status(id).await?) })
    }
}
