//! Many callers, one read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cgcg_core::Coalescer;
use tokio::sync::Semaphore;

/// Answers even keys, when the gate lets it.
struct Source {
    gate: Semaphore,
    reads: AtomicUsize,
    fails: bool,
}

fn over(source: &Arc<Source>) -> Arc<Coalescer<u64, String>> {
    let source = source.clone();
    Arc::new(Coalescer::new(move |keys: Vec<u64>| {
        let source = source.clone();
        Box::pin(async move {
            source.reads.fetch_add(1, Ordering::SeqCst);
            source.gate.acquire().await.unwrap().forget();
            assert!((1..=32).contains(&keys.len()));
            if source.fails {
                return Err(sqlx::Error::RowNotFound);
            }
            let even = keys.into_iter().filter(|key| key % 2 == 0);
            Ok(even.map(|key| (key, key.to_string())).collect())
        })
    }))
}

fn source(fails: bool) -> Arc<Source> {
    let (gate, reads) = (Semaphore::new(0), AtomicUsize::new(0));
    Arc::new(Source { gate, reads, fails })
}

/// All callers on one thread, so that they share.
fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(test);
}

#[test]
fn callers_that_come_together_share_few_reads_and_each_gets_its_own() {
    on_one_thread(async {
        let source = source(false);
        let rows = over(&source);
        let ask = |key| {
            let rows = rows.clone();
            tokio::spawn(async move { rows.get(key).await.unwrap() })
        };
        let all: Vec<_> = (0..65).map(ask).collect();
        tokio::task::yield_now().await;
        source.gate.add_permits(1_000);
        for (key, answer) in all.into_iter().enumerate() {
            let expected = (key % 2 == 0).then(|| key.to_string());
            assert_eq!(answer.await.unwrap(), expected, "{key}");
        }
        assert_eq!(
            source.reads.load(Ordering::SeqCst),
            3,
            "one alone, then two of 32"
        );
    });
}

#[test]
fn a_caller_that_leaves_in_the_middle_of_its_read_stops_nobody() {
    on_one_thread(async {
        let source = source(false);
        let rows = over(&source);
        let ask = |key| {
            let rows = rows.clone();
            tokio::spawn(async move { rows.get(key).await.unwrap() })
        };
        let reader = ask(2);
        tokio::task::yield_now().await;
        let waits = ask(4);
        tokio::task::yield_now().await;
        reader.abort();
        assert!(reader.await.is_err());
        source.gate.add_permits(1_000);
        assert_eq!(waits.await.unwrap().as_deref(), Some("4"));
        assert_eq!(rows.get(6).await.unwrap().as_deref(), Some("6"));
    });
}

#[test]
fn a_read_that_fails_fails_for_each_and_the_next_one_is_made() {
    on_one_thread(async {
        let source = source(true);
        let rows = over(&source);
        let ask = |key| {
            let rows = rows.clone();
            tokio::spawn(async move { rows.get(key).await.is_err() })
        };
        let all: Vec<_> = (0..5).map(ask).collect();
        tokio::task::yield_now().await;
        source.gate.add_permits(1_000);
        for answer in all {
            assert!(answer.await.unwrap());
        }
        assert!(rows.get(7).await.is_err());
    });
}

/// A turn was passed on while its lock was held; the runtime dropped the task at once, which wanted the same lock.
#[test]
fn a_runtime_that_ends_in_the_middle_of_a_read_ends() {
    let source = source(false);
    let rows = over(&source);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for key in [2, 4] {
        let rows = rows.clone();
        runtime.spawn(async move { rows.get(key).await.unwrap() });
    }
    runtime.block_on(tokio::task::yield_now());
    assert_eq!(source.reads.load(Ordering::SeqCst), 1);
    drop(runtime);
    source.gate.add_permits(1_000);
    on_one_thread(async { assert_eq!(rows.get(6).await.unwrap().as_deref(), Some("6")) });
}
