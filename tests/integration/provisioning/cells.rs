//! `stepgate cell apply`.

use super::rig::{REGION, Rig, cell_request, placeholder_artifacts};
use stepgate::provisioning::cell::apply;

#[tokio::test(flavor = "multi_thread")]
async fn applying_a_cell_again_changes_nothing_and_new_artifacts_are_added() {
    let rig = Rig::start().await;
    let mut told = Vec::new();
    let again = apply(&rig.context, &cell_request(&rig.artifacts), &mut |text| {
        told.push(text);
    })
    .await
    .unwrap();
    assert_eq!(again, rig.cell);
    assert_eq!(
        told.iter()
            .filter(|text| text.ends_with("is there already"))
            .count(),
        3,
        "{told:?}"
    );

    let newer = placeholder_artifacts(&format!("newer-{}", rig.account));
    let changed = apply(&rig.context, &cell_request(&newer), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(changed.id, rig.cell.id);
    assert_ne!(changed.artifacts.verify.key, rig.cell.artifacts.verify.key);
    let s3 = rig.context.aws.s3(REGION);
    for artifact in [&rig.cell.artifacts.verify, &changed.artifacts.verify] {
        // The older version stays: tenants run it until they are brought to the newer one.
        assert!(
            s3.has(&changed.artifact_bucket, &artifact.key, &artifact.sha256_base64)
                .await
                .unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_region_has_one_cell_whose_id_survives_a_lost_row() {
    let rig = Rig::start().await;
    let other = stepgate::provisioning::cell::CellRequest {
        name: "other".into(),
        ..cell_request(&rig.artifacts)
    };
    let error = apply(&rig.context, &other, &mut |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("under another name"), "{error}");

    rig.sql("DELETE FROM cells").await;
    let found = apply(&rig.context, &cell_request(&rig.artifacts), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(found.id, rig.cell.id);
}
