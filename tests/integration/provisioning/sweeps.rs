//! Reservations whose client secret never arrived.

use super::rig::{REGION, Rig};
use chrono::TimeDelta;
use stepgate::{domain::pool::PoolSettings, worker::jobs::sweep_reservations::sweep};

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_nobody_completes_is_swept_with_its_secret() {
    let rig = Rig::start().await;
    let (kept, _) = rig.tenant("Kept", PoolSettings::default()).await;
    let (lost, creation) = rig.tenant("Lost", PoolSettings::default()).await;
    // As if the request had died between the secret and its second transaction.
    let secret: String = sqlx::query_scalar("SELECT credentials_secret_name FROM tenants WHERE id = $1")
        .bind(lost.id.to_string())
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    for statement in [
        "DELETE FROM operation_steps WHERE operation_id = $1",
        "DELETE FROM operations WHERE id = $1",
        "UPDATE tenants SET state = 'awaiting_secret', credentials_secret_arn = NULL WHERE $1 <> '' AND name = 'Lost'",
    ] {
        sqlx::query(statement)
            .bind(creation.id.to_string())
            .execute(&rig.owner)
            .await
            .unwrap();
    }

    assert_eq!(
        sweep(&rig.context, "sweeper").await.unwrap(),
        0,
        "the request may still be under way"
    );
    rig.clock.advance(TimeDelta::minutes(16));
    assert_eq!(sweep(&rig.context, "sweeper").await.unwrap(), 1);
    let sdk = rig.context.aws.region(REGION);
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let gone = secrets.describe_secret().secret_id(&secret).send().await.unwrap();
    assert!(gone.deleted_date().is_some());

    // The name is free again, and the other tenant was left alone.
    let (again, _) = rig.tenant("Lost", PoolSettings::default()).await;
    assert_ne!(again.id, lost.id);
    rig.run_worker().await;
    assert!(rig.read(kept.id).await.ready());
}
