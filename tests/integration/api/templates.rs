//! Templates as the API shows them.

use crate::support::{TestApp, examples};
use serde_json::json;

#[tokio::test]
async fn a_tenants_template_is_what_cloudformation_is_given_and_has_no_secret() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let answer = acme.get(&format!("/v1/tenants/{tenant_id}/template")).await;
    assert!(!answer.text.contains(examples::CLIENT_SECRET));
    let shown = answer.expect(200);
    let template = stepgate::provisioning::template::tenant();
    assert_eq!(
        (&shown["template"], &shown["digest"]),
        (&json!(template.body), &json!(template.digest))
    );
    let ulid = tenant_id.trim_start_matches("tnt_");
    assert_eq!(shown["stack_name"], json!(format!("stepgate-{ulid}")));
    assert_eq!(shown["stack_id"], json!(null));
    assert_eq!(shown["tags"]["stepgate:tenant"], json!(tenant_id));
    let declared = template.body.split("\nConditions:").next().unwrap();
    let parameters = shown["parameters"].as_object().unwrap();
    for name in parameters.keys() {
        assert!(
            declared.contains(&format!("\n  {name}:\n")),
            "{name} is no parameter"
        );
    }
    assert_eq!(parameters["PasswordMinLength"], json!("10"));
    assert_eq!(parameters["Sandbox"], json!("false"));
}

#[tokio::test]
async fn the_standalone_template_masks_what_the_seed_masked() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answer = acme.get("/v1/templates/standalone").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/yaml");
    for masked in ["TenantDNS", "CommunityName", "ClientId", "ClientSecret"] {
        let declared = format!("\n  {masked}:\n    Type: String\n    NoEcho: true\n");
        assert!(answer.text.contains(&declared), "{masked} is not masked");
    }
    assert_eq!(answer.text.matches("NoEcho: true").count(), 4);
    for output in ["UserPoolId", "UserPoolClientId"] {
        assert!(
            answer.text.contains(&format!("\n  {output}:\n    Value:")),
            "{output}"
        );
    }
}
