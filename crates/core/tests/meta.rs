use cgcg_core::{Db, MIGRATIONS, Meta};
use cgcg_testkit::both;

both! {
    async fn twenty_nodes_that_claim_one_key_get_one_value(db: Db) {
        MIGRATIONS.run(&db).await.unwrap();
        let nodes: Vec<_> = (0..20)
            .map(|node| {
                let db = db.clone();
                tokio::spawn(async move { Meta::claim(&db, "cluster", &node.to_string()).await })
            })
            .collect();
        let mut values = Vec::new();
        for node in nodes {
            values.push(node.await.unwrap().unwrap());
        }
        values.dedup();
        assert_eq!(values.len(), 1, "{values:?}");
        assert_eq!(Meta::claim(&db, "cluster", "too late").await.unwrap(), values[0]);
        assert_eq!(Meta::claim(&db, "another", "first").await.unwrap(), "first");
    }
}
