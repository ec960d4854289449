use std::sync::Arc;

use cgcg_core::{BoxFuture, Conn, Id, NewTask, SeamError, Task, TaskQueue, TaskStatus};
use cgcg_tasks::{Error, Name, Payload, QueueName, Service, TaskCreate};
use serde_json::Value;

use super::QUEUE;

/// The service as features use it: what they store goes into the server's own queue.
pub(crate) fn queue(tasks: &Service) -> Arc<dyn TaskQueue> {
    Arc::new(OwnQueue(tasks.clone()))
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
