//! The address of a host, by a DNS query of its own: the system's resolver would block the thread.
