use super::*;
use crate::{
    domain::cell::{Architecture, Artifact, Artifacts, CallLimits, CellState, Quotas},
    ids::IdSource,
};
use chrono::DateTime;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn cell() -> Cell {
    let artifact = || Artifact {
        key: "k".into(),
        sha256_base64: "d".into(),
    };
    let now = DateTime::UNIX_EPOCH;
    Cell {
        id: CellId::generate(&IdSource::seeded(1), now),
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        architecture: Architecture::Arm64,
        state: CellState::Ready,
        artifact_bucket: "b".into(),
        log_group_name: "g".into(),
        event_queue_url: Some("https://queue.example/one".into()),
        artifacts: Artifacts {
            version: "1".into(),
            challenge: artifact(),
            verify: artifact(),
            forwarder: None,
        },
        release_id: None,
        quotas: Quotas::default(),
        aws_call_limits: CallLimits::default(),
        revision: 1,
        access: None,
        allowed_provider_networks: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

/// The queue of a reader, and its role.
type Reader = (String, Option<String>);

/// What reads at the moment.
#[derive(Clone, Default)]
struct Reading(Arc<Mutex<Vec<Reader>>>);

impl Reading {
    fn begin(&self, cell: &Cell, queue_url: &str) -> Guard {
        let role = cell.access.as_ref().map(|access| access.role_arn.clone());
        let this = (queue_url.to_owned(), role);
        self.0.lock().unwrap().push(this.clone());
        Guard(self.clone(), this)
    }

    /// Readers that read until they are told to stop.
    fn keep(&self, readers: &mut Readers, cells: Vec<Cell>) {
        readers.keep(cells, |cell, queue_url, stop| {
            let reading = self.clone();
            async move {
                let _guard = reading.begin(&cell, &queue_url);
                stop.cancelled().await;
            }
        });
    }

    async fn becomes(&self, wanted: &[(&str, Option<&str>)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(queue, role)| ((*queue).to_owned(), role.map(str::to_owned)))
            .collect();
        for _ in 0..200 {
            if *self.0.lock().unwrap() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(*self.0.lock().unwrap(), wanted);
    }
}

struct Guard(Reading, (String, Option<String>));

impl Drop for Guard {
    fn drop(&mut self) {
        let mut reading = self.0.0.lock().unwrap();
        let index = reading.iter().position(|this| *this == self.1).unwrap();
        reading.remove(index);
    }
}

const ONE: &str = "https://queue.example/one";

#[tokio::test]
async fn one_that_dies_is_followed_by_another() {
    let (reading, stop) = (Reading::default(), CancellationToken::new());
    let mut readers = Readers::new(2, stop.clone());
    readers.keep(vec![cell()], |_, _, _| async { panic!("of no fault of its own") });
    // They have to have died before the next look, which a worker takes five seconds later.
    for of_cell in readers.cells.values_mut() {
        assert_eq!(of_cell.tasks.len(), 2);
        while of_cell.tasks.join_next().await.is_some() {}
    }
    reading.keep(&mut readers, vec![cell()]);
    reading.becomes(&[(ONE, None); 2]).await;
    reading.keep(&mut readers, vec![cell()]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    reading.becomes(&[(ONE, None); 2]).await;
    stop.cancel();
    readers.end().await;
    reading.becomes(&[]).await;
}

#[tokio::test]
async fn dead_ones_that_nobody_waited_for_do_not_count() {
    let mut readers = Readers::new(2, CancellationToken::new());
    readers.keep(vec![cell()], |_, _, _| async {});
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reading = Reading::default();
    reading.keep(&mut readers, vec![cell()]);
    reading.becomes(&[(ONE, None); 2]).await;
}

#[tokio::test]
async fn another_role_or_queue_makes_other_readers_and_none_makes_none() {
    let reading = Reading::default();
    let mut readers = Readers::new(1, CancellationToken::new());
    reading.keep(&mut readers, vec![cell()]);
    reading.becomes(&[(ONE, None)]).await;
    let role = "arn:aws:iam::123456789012:role/stepgate-cell";
    let with_role = Cell {
        access: Some(CellAccess {
            role_arn: role.into(),
            external_id: None,
        }),
        ..cell()
    };
    reading.keep(&mut readers, vec![with_role.clone()]);
    reading.becomes(&[(ONE, Some(role))]).await;
    let two = "https://queue.example/two";
    let elsewhere = Cell {
        event_queue_url: Some(two.into()),
        ..with_role
    };
    reading.keep(&mut readers, vec![elsewhere]);
    reading.becomes(&[(two, Some(role))]).await;
    reading.keep(&mut readers, Vec::new());
    reading.becomes(&[]).await;
}
