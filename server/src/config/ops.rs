//! `[ops]`: the listener of operators.

use super::section::section;
use super::text::ListenAddress;

section! {
    /// The listener of operators: /metrics, /livez and /readyz, in plain text and without credentials. Keep it inside.
    OpsConfig {
        /// Address and port. Port 0 takes any free port.
        listen: ListenAddress = ListenAddress::loopback(9464);
    }
}
