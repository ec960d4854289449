use cgcg_core::{BoxFuture, Conn, NewTask, SeamError, TaskQueue, TaskStatus};
use serde_json::Value;

use super::Service;
use crate::{Error, Name, Payload, TaskCreate, TaskId};

impl TaskQueue for Service {
    fn create_task<'a>(
        &'a self,
        name: &'a str,
        payload: Value,
    ) -> BoxFuture<'a, Result<TaskId, SeamError>> {
        Box::pin(async move { Ok(self.create_task(name, &payload).await?) })
    }

    fn create_task_in<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewTask,
    ) -> BoxFuture<'a, Result<TaskId, SeamError>> {
        Box::pin(async move { Ok(self.create_in(conn, create(new)?).await?.id) })
    }

    fn get_task_status<'a>(
        &'a self,
        id: TaskId,
    ) -> BoxFuture<'a, Result<Option<TaskStatus>, SeamError>> {
        Box::pin(async move { Ok(self.get_task_status(id).await?) })
    }
}

fn create(new: NewTask) -> Result<TaskCreate, Error> {
    let name = Name::parse(new.name).map_err(|invalid| Error::Invalid {
        field: "name",
        invalid,
    })?;
    let payload = Payload::of(&new.payload).map_err(|invalid| Error::Invalid {
        field: "payload",
        invalid,
    })?;
    Ok(TaskCreate {
        run_at: new.run_at,
        unique_key: new.unique_key,
        ..TaskCreate::new(name, payload)
    })
}
