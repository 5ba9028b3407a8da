//! A build without the simulator checks who answers.

use crate::whatsapp::SessionConfig;
use crate::whatsapp::tests::offline::{Bench, Keys};
use tether_sim::{Sim, SimConfig};
use tetherd_core::action::SessionCommand;
use tetherd_core::event::EndReason;

#[tokio::test]
async fn a_build_without_the_simulator_refuses_the_simulator() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, sim.ca_pem()).unwrap();
    let config = SessionConfig {
        endpoint: sim.endpoint(),
        ca_file: Some(ca_file),
        ..SessionConfig::default()
    };
    let mut bench = Bench::new(config, Keys::new());
    bench.order(SessionCommand::Pair { phone: None });
    assert_eq!(bench.ended().await, EndReason::Untrusted);
    bench.handle.stop().await;
}
