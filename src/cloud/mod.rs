//! `stbcast-cloud`: settings, sockets, administration.
