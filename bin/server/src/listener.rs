use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Connections that wait to be accepted, as far as the system allows it (Linux: `net.core.somaxconn`). The standard
/// library takes 128: in a burst, whoever comes later is not answered before the next try of its system, a second on.
const BACKLOG: i32 = 4_096;

/// Binds the address.
///
/// # Errors
/// The address is taken, is none of this machine, or needs rights that we lack.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart must not wait until the connections of before are forgotten. Windows takes it for leave to share.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_of_connections_is_taken() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Duration::from_millis(900);
        let burst = (0..400).map(|_| TcpStream::connect_timeout(&address, patience).unwrap());
        assert_eq!(burst.collect::<Vec<_>>().len(), 400);
    }
}
