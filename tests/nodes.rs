//! Several processes on one database.

use std::collections::BTreeSet;

use crate::support::{People, Person, Server, postgres};

const MASTER: &str = "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=";

/// Two nodes with folders of their own, started at the same moment on an empty database.
fn two_nodes() -> Option<[Server; 2]> {
    let one = postgres()?.with("CGCG_KEYS__MASTER", MASTER);
    let two = one.elsewhere();
    Some(std::thread::scope(|scope| {
        let starts = [one, two].map(|setup| scope.spawn(move || setup.start()));
        starts.map(|start| start.join().unwrap())
    }))
}

#[test]
fn two_nodes_start_at_once_and_take_each_others_tokens() {
    for _ in 0..3 {
        let Some([one, two]) = two_nodes() else {
            return;
        };
        let ada = one.person("ada@example.org");
        let there = two.get_as(&ada, "/api/v1/users/me").is(200).json();
        assert_eq!(there, one.get_as(&ada, "/api/v1/users/me").is(200).json());
        let bob = two.person("bob@example.org");
        one.get_as(&bob, "/api/v1/users/me").is(200);
        assert_eq!(
            one.get("/.well-known/jwks.json").json(),
            two.get("/.well-known/jwks.json").json()
        );
    }
}

#[test]
fn r1_fifty_refreshes_over_two_nodes_make_one_step() {
    let Some(nodes) = two_nodes() else { return };
    let ada = nodes[0].person("ada@example.org");
    let successors: BTreeSet<String> = std::thread::scope(|scope| {
        let (nodes, token) = (&nodes, &ada.refresh);
        let refresh =
            |n: usize| move || Person::of(&nodes[n % 2].refresh(token).is(200).json()).refresh;
        let all: Vec<_> = (0..50).map(|n| scope.spawn(refresh(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(successors.len(), 1);
}

#[test]
fn o2_a_node_with_a_key_of_its_own_does_not_start() {
    let Some(one) = postgres() else { return };
    let two = one.elsewhere();
    let _first = one.start();
    let output = two.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("master"), "{said}");
    assert!(
        !two.folder().join("data/master.key").exists(),
        "a key that is good for nothing stays behind"
    );
}
