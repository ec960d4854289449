use cgcg_core::{Db, Limit, PageRequest};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, new, seconds};
use crate::store::read;
use crate::{TaskCreate, TaskFilter, TaskId, TaskState};

/// All pages, each of so many.
async fn pages(bed: &Bed, filter: &TaskFilter, items: i64) -> Vec<Vec<TaskId>> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let limit = Limit::new(items).unwrap();
        let page = bed
            .tasks
            .list(filter, PageRequest { limit, cursor })
            .await
            .unwrap();
        pages.push(page.items.iter().map(|line| line.id).collect());
        cursor = page.next_cursor;
        if cursor.is_none() {
            return pages;
        }
    }
}

both! {
    async fn the_newest_come_first_and_the_filter_holds_also_for_what_has_ended(db: Db) {
        let bed = Bed::new(db).await;
        let mut ids = Vec::new();
        for number in 0..10 {
            bed.clock.advance(seconds(1));
            let task = TaskCreate {
                owner: ["ada", "bob"][number % 2].to_owned(),
                queue: Some(["a", "b"][number / 5].parse().unwrap()),
                ..new(["n", "other"][number % 2], &json!({}))
            };
            ids.push(bed.tasks.create(task).await.unwrap().id);
        }
        for id in &ids[..3] {
            bed.tasks.cancel(*id).await.unwrap();
        }
        bed.tasks.sweep().await.unwrap();
        let all = TaskFilter::default();
        let newest: Vec<_> = ids.iter().rev().copied().collect();
        assert_eq!(pages(&bed, &all, 200).await, std::slice::from_ref(&newest));
        assert_eq!(pages(&bed, &all, 4).await, newest.chunks(4).map(Vec::from).collect::<Vec<_>>());
        let ended = TaskFilter { state: Some(TaskState::Cancelled), ..TaskFilter::default() };
        assert_eq!(pages(&bed, &ended, 200).await.concat(), newest[7..]);
        let of_ada = TaskFilter { owner: Some("ada".to_owned()), ..TaskFilter::default() };
        let in_b = TaskFilter { queue: Some("b".parse().unwrap()), ..of_ada.clone() };
        assert_eq!(pages(&bed, &of_ada, 2).await.concat(), [ids[8], ids[6], ids[4], ids[2], ids[0]]);
        assert_eq!(pages(&bed, &in_b, 200).await.concat(), [ids[8], ids[6]]);
        let other = TaskFilter { name: Some("other".parse().unwrap()), ..in_b };
        assert!(pages(&bed, &other, 200).await.concat().is_empty());
    }
    async fn a_list_of_ones_own_tasks_stops_at_one_of_them(db: Db) {
        let bed = Bed::new(db).await;
        let mut own = Vec::new();
        for number in 0..12 {
            bed.clock.advance(seconds(1));
            let owner = ["ada", "bob", "bob", ""][number % 4].to_owned();
            let made = bed.tasks.create(TaskCreate { owner, ..new("n", &json!({})) }).await.unwrap();
            if number % 4 == 0 {
                own.insert(0, made.id);
            }
        }
        bed.tasks.cancel(own[1]).await.unwrap();
        bed.tasks.sweep().await.unwrap();
        let of_ada = TaskFilter { owner: Some("ada".to_owned()), ..TaskFilter::default() };
        let (mut conn, newest) = (bed.db.read().await.unwrap(), TaskId::from_uuid(uuid::Uuid::max()));
        let seen = read::list(&mut conn, newest, 2, &of_ada, 10).await.unwrap();
        assert_eq!(seen.iter().map(|line| line.id).collect::<Vec<_>>(), own[..2]);
        assert_eq!(read::floor(&mut conn, newest, 2, &of_ada).await.unwrap(), Some(own[1]));
        assert_eq!(read::floor(&mut conn, own[1], 2, &of_ada).await.unwrap(), None);
        let of_the_program = TaskFilter { owner: Some(String::new()), ..TaskFilter::default() };
        assert_eq!(pages(&bed, &of_the_program, 2).await.concat().len(), 3);
    }
}
