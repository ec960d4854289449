//! Ends that are kept together with the handler's own rows.

use cgcg_core::{Conn, Db, on};
use cgcg_testkit::both;

use super::super::Bed;
use super::{made, rename};
use crate::{Error, Handlers, TaskError, TaskState};

async fn note(conn: &mut Conn) -> sqlx::Result<()> {
    let sql = "insert into notes (body) values ('a')";
    on!(conn, |c| sqlx::query(sql).execute(c).await.map(drop))
}

async fn notes(bed: &Bed) -> i64 {
    let mut conn = bed.db.read().await.unwrap();
    let sql = "select count(*) from notes";
    on!(&mut conn, |c| sqlx::query_scalar(sql)
        .fetch_one(c)
        .await
        .unwrap())
}

/// Stores a note and ends the task with it; the first attempt does not commit.
fn handlers(db: &Db) -> Handlers {
    let db = db.clone();
    Handlers::new().on_name("n", move |ctx, _| {
        let db = db.clone();
        async move {
            let mut conn = db.begin().await?;
            note(&mut conn).await?;
            ctx.complete_in(&mut conn, &"kept").await?;
            if ctx.attempt() == 1 {
                drop(conn);
                return Err(TaskError::retry("the commit failed"));
            }
            conn.commit().await?;
            Ok(None)
        }
    })
}

both! {
    async fn rows_and_the_end_of_the_task_are_kept_together_once(db: Db) {
        let bed = Bed::new(db).await;
        rename(&bed.db, "create table notes (body text not null)").await;
        let works = bed.work(handlers(&bed.db), 4);
        let id = made(&bed, 4).await;
        bed.pass_until("it is done", async || bed.state(id).await == TaskState::Succeeded).await;
        let status = bed.status(id).await;
        assert_eq!((status.attempt, status.result.as_deref()), (2, Some("\"kept\"")));
        assert_eq!(notes(&bed).await, 1);
        works.end().await;
    }

    async fn an_end_under_a_lost_lease_is_refused_and_its_rows_are_rolled_back(db: Db) {
        let bed = Bed::new(db).await;
        rename(&bed.db, "create table notes (body text not null)").await;
        let db = bed.db.clone();
        let handlers = Handlers::new().on_name("n", move |ctx, _| {
            let db = db.clone();
            async move {
                rename(&db, "update task set lease = lease + 1").await;
                let mut conn = db.begin().await?;
                note(&mut conn).await?;
                match ctx.complete_in(&mut conn, &()).await {
                    Err(Error::LeaseLost) => Err(TaskError::retry("lost")),
                    other => panic!("{other:?}"),
                }
            }
        });
        let works = bed.work(handlers, 4);
        let id = made(&bed, 4).await;
        bed.until_state(id, TaskState::Running).await;
        works.end().await;
        assert_eq!((bed.state(id).await, notes(&bed).await), (TaskState::Running, 0));
    }
}
