// What every part of the library shares: which sources it was built from, and the interface's age.

#ifndef HWA_SOURCE
#define HWA_SOURCE ""
#endif

extern "C" {

// Raised whenever the meaning of an argument or a result of any function changes.
int hwa_abi() { return 4; }

// The hash of the sources, so that a library built from others is never taken for this one.
const char* hwa_source() { return HWA_SOURCE; }

}  // extern "C"
