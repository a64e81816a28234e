//! Several nodes on one Redis under load and on bad days: nothing is lost in silence, nothing comes twice, all agree.
//!
//! Each scenario prints its seed and what became of the events. What two nodes do on a good day is in `two_nodes`.

mod amplification;
mod death;
mod failover;
mod order;
mod outage;
mod recovery;
mod resharding;
mod scene;
mod storm;
