//! Many callers with one question.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cgcg_core::SingleFlight;
use tokio::sync::Semaphore;

/// Answers with the number of the read, when the gate of the question lets it.
struct Source {
    gates: [Semaphore; 2],
    reads: AtomicUsize,
    fails: bool,
}

fn source(fails: bool) -> Arc<Source> {
    let gates = [Semaphore::new(0), Semaphore::new(0)];
    let reads = AtomicUsize::new(0);
    Arc::new(Source {
        gates,
        reads,
        fails,
    })
}

fn over(source: &Arc<Source>) -> Arc<SingleFlight<usize, usize>> {
    let source = source.clone();
    Arc::new(SingleFlight::new(move |question: usize| {
        let source = source.clone();
        Box::pin(async move {
            let number = source.reads.fetch_add(1, Ordering::SeqCst) + 1;
            source.gates[question].acquire().await.unwrap().forget();
            if source.fails {
                return Err(sqlx::Error::RowNotFound);
            }
            Ok(number)
        })
    }))
}

fn ask(
    flights: &Arc<SingleFlight<usize, usize>>,
    question: usize,
) -> tokio::task::JoinHandle<sqlx::Result<usize>> {
    let flights = flights.clone();
    tokio::spawn(async move { flights.get(question).await })
}

#[tokio::test]
async fn whoever_asks_during_a_read_shares_the_next_one_never_the_one_under_way() {
    let source = source(false);
    let flights = over(&source);
    let first = ask(&flights, 0);
    tokio::task::yield_now().await;
    let later: Vec<_> = (0..100).map(|_| ask(&flights, 0)).collect();
    tokio::task::yield_now().await;
    source.gates[0].add_permits(1_000);
    assert_eq!(first.await.unwrap().unwrap(), 1);
    for answer in later {
        assert_eq!(answer.await.unwrap().unwrap(), 2);
    }
    assert_eq!(flights.get(0).await.unwrap(), 3, "nothing is kept");
}

#[tokio::test]
async fn another_question_is_not_held_up() {
    let source = source(false);
    let flights = over(&source);
    let slow = ask(&flights, 0);
    tokio::task::yield_now().await;
    source.gates[1].add_permits(1);
    assert_eq!(flights.get(1).await.unwrap(), 2);
    source.gates[0].add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_its_read_stops_nobody() {
    let source = source(false);
    let flights = over(&source);
    let reader = ask(&flights, 0);
    tokio::task::yield_now().await;
    let waits = ask(&flights, 0);
    tokio::task::yield_now().await;
    reader.abort();
    assert!(reader.await.is_err());
    source.gates[0].add_permits(1_000);
    assert_eq!(waits.await.unwrap().unwrap(), 2);
    assert_eq!(flights.get(0).await.unwrap(), 3);
}

#[tokio::test]
async fn a_read_that_fails_fails_for_each_and_the_next_one_is_made() {
    let source = source(true);
    let flights = over(&source);
    let all: Vec<_> = (0..5).map(|_| ask(&flights, 0)).collect();
    tokio::task::yield_now().await;
    source.gates[0].add_permits(1_000);
    for answer in all {
        assert!(answer.await.unwrap().is_err());
    }
    assert!(flights.get(0).await.is_err());
}
