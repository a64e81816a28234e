//! A port for a server that is not the hub.

use std::net::TcpListener;

/// A port that is free now, for a page whose origin the hub has to know before the page is there.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
