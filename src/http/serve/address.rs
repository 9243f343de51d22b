//! What [`MonitoringService::serve`](crate::MonitoringService::serve) takes for an address.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
};

/// Where to listen: a port of loopback (`9091`), an address with a port (`"10.1.0.5:9091"`), or a [`SocketAddr`].
pub trait ListenAddress: sealed::Sealed {
    #[doc(hidden)]
    fn resolve(self) -> io::Result<Vec<SocketAddr>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u16 {}
    impl Sealed for &str {}
    impl Sealed for std::net::SocketAddr {}
}

impl ListenAddress for u16 {
    fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(Ipv4Addr::LOCALHOST, self).into()])
    }
}

impl ListenAddress for &str {
    fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        let found = self.to_socket_addrs().map(Iterator::collect);
        found.map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", self.escape_debug())))
    }
}

impl ListenAddress for SocketAddr {
    fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self])
    }
}
