//! Does a model compute what its file says?
