//! What a build that checks the server's certificate makes of the simulator.

use super::super::{Sim, SimConfig};
use super::client::{PATIENCE, TestClient};

#[tokio::test]
async fn a_build_without_sim_refuses_the_simulator() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let client = TestClient::new(&sim).await;
    let stats = sim.wait_for(|stats| stats.handshakes_failed > 0, PATIENCE).await.unwrap();
    assert_eq!((stats.accepted, stats.handshakes_xx), (0, 0));
    assert!(!client.client.is_connected());
}
