//! What the C library keeps of the memory that was freed. Its defaults are made for speed:
//! after a burst of long texts, or a walk through a large store, most of the daemon's memory
//! would be free and still its own.

/// From here on a piece of memory is a mapping of its own, and given back when it is freed:
/// the engine's pages and buffers, requests, bodies.
#[cfg(target_env = "gnu")]
const MMAP_THRESHOLD_BYTES: nix::libc::c_int = 64 * 1024;
/// Heaps besides the main one. The daemon's threads mostly wait.
#[cfg(target_env = "gnu")]
const ARENAS_MAX: nix::libc::c_int = 2;

/// To be called before the first thread is started.
pub(crate) fn keep_little() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the allocator's own settings; no wrapper exists")]
    // Safety: it takes two numbers, and is called before there are threads. A setting that
    // it does not know is ignored.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS_MAX);
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
    }
}

/// Gives back what was freed so far. Takes milliseconds.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the allocator's own function; no wrapper exists")]
    // Safety: it takes a number, may be called at any time, and locks what it looks at.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
