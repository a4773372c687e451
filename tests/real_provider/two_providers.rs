//! One site, two providers that do not know each other.

use axum_clef::Paths;

use crate::{
    provider::{Claims, RealProvider},
    site::{Site, client},
    visitor::{Visitor, sent_to},
};

const MIRA: &str = "mira-7c41";

/// The site: customers come under `/clef`, staff under `/staff`, and a page lets people choose.
async fn start(customers: &mut RealProvider, staff: &mut RealProvider) -> Site {
    let site = Site::build(async |ground| {
        let customers = client(customers).await.display_name("Customers");
        let staff = client(staff).await.display_name("Staff");
        ground
            .builder()
            .provider(customers)
            .provider_at(Paths::under("/staff").unwrap(), staff)
            .login_page("/choose")
            .build()
            .unwrap()
    })
    .await;
    customers.register(site.metadata()).await;
    staff.register(site.metadata_under("/staff")).await;
    site
}

/// A login by the second provider.
async fn log_in_as_staff(visitor: &Visitor, site: &Site) {
    let authorization = sent_to(
        &visitor
            .get(format!("{}/staff/login?next=/account", site.url))
            .await,
    );
    let callback = visitor.at_provider.log_in(&authorization, MIRA).await;
    assert_eq!(sent_to(&visitor.get(callback).await), "/account");
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn who_comes_by_two_providers_is_two_and_each_logs_out_its_own() {
    let mut customers = RealProvider::start(Claims::AtUserinfo).await;
    let mut staff = RealProvider::start(Claims::InIdToken).await;
    let site = start(&mut customers, &mut staff).await;
    let (customer, colleague) = (Visitor::new(&customers), Visitor::new(&staff));

    let sent = sent_to(&customer.open(format!("{}/account", site.url)).await);
    assert_eq!(sent, "/choose?next=%2Faccount");
    customer.log_in(&site, MIRA).await;
    log_in_as_staff(&colleague, &site).await;
    let issuers = [
        customer.account(&site).await["issuer"].clone(),
        colleague.account(&site).await["issuer"].clone(),
    ];
    assert_eq!(issuers, [customers.issuer(), staff.issuer()]);

    colleague.at_provider.log_out().await;
    assert!(staff.take_notices().await[0].accepted);
    assert!(!colleague.is_in(&site).await);
    assert!(customer.is_in(&site).await, "the same id, another issuer");

    log_in_as_staff(&colleague, &site).await;
    customer.at_provider.log_out().await;
    assert!(!customer.is_in(&site).await);
    assert!(colleague.is_in(&site).await);

    // A sign-out goes on at the provider that the login came from, from wherever it is pressed.
    let there = colleague.sign_out(&site).await;
    assert!(there.starts_with(staff.issuer()), "{there}");
    let back = colleague
        .at_provider
        .confirm_logout(&there)
        .await
        .elsewhere();
    assert_eq!(back.path(), "/staff/signed-out");
    assert_eq!(sent_to(&colleague.get(back).await), "/");
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_notice_at_the_door_of_the_other_provider_ends_nothing() {
    let mut customers = RealProvider::start(Claims::AtUserinfo).await;
    let mut staff = RealProvider::start(Claims::AtUserinfo).await;
    let site = start(&mut customers, &mut staff).await;
    let (customer, colleague) = (Visitor::new(&customers), Visitor::new(&staff));
    customer.log_in(&site, MIRA).await;
    log_in_as_staff(&colleague, &site).await;

    let mut metadata = site.metadata_under("/staff");
    metadata["backchannel_logout_uri"] = site.metadata()["backchannel_logout_uri"].clone();
    staff.register(metadata).await;
    colleague.at_provider.log_out().await;
    let notices = staff.take_notices().await;
    assert_eq!(notices[0].status, Some(400), "{notices:?}");
    assert!(customer.is_in(&site).await);
    assert!(colleague.is_in(&site).await);
}
