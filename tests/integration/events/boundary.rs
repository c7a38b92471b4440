//! The tables of events could be in another database: what reads and writes them works where no other table exists.

use super::rig::Rig;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use stepgate::{
    domain::actor::{OperatorScope, ReadScope},
    ids::{CellId, PartnerId},
    reporting::{
        batch,
        question::{Filter, Grain, GroupBy},
    },
    storage::{
        PageRequest, event_intake,
        step_up_events::{self, Sought},
        step_up_rollups, user_journeys,
    },
};

/// Drops every table of the control plane, with everything that hangs on it.
async fn without_the_control_plane(db: &mut PgConnection) -> Vec<String> {
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND relname !~ '^step_up_' AND relname NOT IN ('quarantined_events', 'event_intake') ORDER BY 1",
    )
    .fetch_all(&mut *db)
    .await
    .unwrap();
    for table in &others {
        let statement = format!("DROP TABLE IF EXISTS {table} CASCADE");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *db)
            .await
            .unwrap();
    }
    others
}

/// What could not be stored is put aside and forgotten, and how far behind the reading is is noted.
async fn put_aside(tx: &mut PgConnection, cell_id: CellId, now: DateTime<Utc>) {
    let worker = OperatorScope::worker();
    let aside = event_intake::Quarantined {
        id: "qrt_1".to_owned(),
        reason: "unreadable_event",
        count: 1,
        sample: "{".to_owned(),
        bodies: vec!["{".to_owned()],
    };
    event_intake::quarantine(&mut *tx, &worker, cell_id, &aside, now)
        .await
        .unwrap();
    let forgotten = event_intake::forget_quarantined(tx, &worker, now + TimeDelta::seconds(1)).await;
    assert_eq!(forgotten.unwrap(), 1);
    let intake = event_intake::Intake {
        cell_id,
        looked_at: now,
        lag_s: 1.5,
    };
    event_intake::note(&mut *tx, &worker, &intake).await.unwrap();
    assert_eq!(event_intake::all(tx, &worker).await.unwrap(), [intake]);
}

/// Counts and times as reports read them, in every table.
async fn read_counts(tx: &mut PgConnection, all: &ReadScope, filter: &Filter, now: DateTime<Utc>) {
    for grain in [Grain::Minute, Grain::Hour, Grain::Day] {
        let whole = Filter {
            from: now - TimeDelta::days(2),
            ..filter.clone()
        };
        let of_all = Filter {
            tenant_id: None,
            ..whole.clone()
        };
        // Of one tenant rows come as they are kept, of all of them added up.
        for asked in [&whole, &of_all] {
            let (counted, timed) = step_up_rollups::figures(&mut *tx, all, grain, asked, Some(GroupBy::App))
                .await
                .unwrap();
            let started = counted.iter().filter(|counted| counted.outcome == "started");
            assert_eq!(started.map(|counted| counted.events).sum::<i64>(), 2);
            let succeeded = timed.iter().map(|timed| timed.to_complete.count());
            assert_eq!(succeeded.sum::<u64>(), 1);
        }
        let timed = step_up_rollups::times(&mut *tx, all, grain, &whole, None)
            .await
            .unwrap();
        assert_eq!(
            timed.iter().map(|timed| timed.to_complete.count()).sum::<u64>(),
            1
        );
    }
}

#[tokio::test]
async fn events_are_stored_counted_and_read_without_any_other_table() {
    let rig = Rig::start().await;
    let now = rig.now();
    let journey = rig.journey(now - TimeDelta::seconds(40));
    let open = rig.journey(now - TimeDelta::seconds(20));
    let events = [
        rig.event("started", &journey, None, now - TimeDelta::seconds(40)),
        rig.event("offered", &journey, Some(1), now - TimeDelta::seconds(40)),
        rig.event("succeeded", &journey, Some(1), now - TimeDelta::seconds(30)),
        rig.event("started", &open, None, now - TimeDelta::seconds(20)),
    ];
    let read = batch::read(&rig.body(&events), now - TimeDelta::days(1), now);
    let partner: PartnerId = rig.acme.id.parse().unwrap();
    let rows = || {
        read.rows
            .iter()
            .map(|row| (row.clone(), partner))
            .collect::<Vec<_>>()
    };
    let tenant = read.rows[0].tenant_id;

    // Rolled back in the end: the tables are gone for this transaction only.
    let mut tx = rig.app.owner.begin().await.unwrap();
    let gone = without_the_control_plane(&mut tx).await;
    assert!(
        gone.iter().any(|table| table == "tenants") && gone.len() > 20,
        "{gone:?}"
    );
    let as_the_service = "SET LOCAL ROLE stepgate_app; SET LOCAL stepgate.partner_id = '*'";
    sqlx::raw_sql(as_the_service).execute(&mut *tx).await.unwrap();
    let worker = OperatorScope::worker();
    let all = ReadScope::from(OperatorScope::worker());

    let (yesterday, today) = (now.date_naive() - TimeDelta::days(1), now.date_naive());
    step_up_events::make_partitions(&mut tx, &worker, yesterday, today)
        .await
        .unwrap();
    let stored = step_up_events::insert(&mut tx, &worker, rows()).await.unwrap();
    assert_eq!(
        stored.iter().map(|stored| stored.count).sum::<i64>(),
        4 + 1,
        "four events and an end"
    );
    assert_eq!(
        step_up_events::insert(&mut tx, &worker, rows()).await.unwrap(),
        []
    );
    put_aside(&mut tx, rig.cell.id, now).await;

    let filter = Filter {
        tenant_id: Some(tenant),
        from: now - TimeDelta::hours(1),
        to: now + TimeDelta::hours(1),
        app_id: None,
        method: None,
        reason: None,
    };
    read_counts(&mut tx, &all, &filter, now).await;
    let unanswered = step_up_rollups::unanswered(&mut tx, &all, &filter, None, now)
        .await
        .unwrap();
    assert_eq!(unanswered.iter().map(|journeys| journeys.count).sum::<i64>(), 1);
    let sought = Sought {
        journey_id: Some(journey.clone()),
        ..Sought::default()
    };
    let page = PageRequest {
        limit: 10,
        after: None,
    };
    let found = step_up_events::search(&mut tx, &all, &sought, &page)
        .await
        .unwrap();
    let kinds: Vec<_> = found.items.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["succeeded", "offered", "started"]);
    let hash = read.rows[0].user_hash.as_deref().unwrap();
    assert_eq!(
        user_journeys::events(&mut tx, &all, tenant, hash, 10)
            .await
            .unwrap()
            .len(),
        4
    );
    let dropped = step_up_events::drop_partitions(&mut tx, &worker, today + TimeDelta::days(1)).await;
    assert!(dropped.unwrap() >= 6, "two days of three tables");
}
