// The host in the place of the GPU: loops instead of kernels, the heap instead of device memory.
#ifndef HWA_HOST_H
#define HWA_HOST_H

#include <stdlib.h>

#include "types.h"

namespace hwa {

// As many parts share a batch; there is only one host.
#ifndef HWA_HOST_DEVICES
#define HWA_HOST_DEVICES 1
#endif

struct queue_t {};

// y[i] = NODE::at(i, x...) for every i below size.
template <class NODE, class... IN>
int fill(queue_t, long long size, typename NODE::out_t *y, const IN *...x) {
    for (long long i = 0; i < size; i++) y[i] = NODE::at(i, x...);
    return 0;
}

// NODE::at(i, t...) for every i below size.
template <class NODE, class... TENSOR>
int each(queue_t, long long size, TENSOR *...t) {
    for (long long i = 0; i < size; i++) NODE::at(i, t...);
    return 0;
}

inline int device_count(int *devices) {
    *devices = HWA_HOST_DEVICES;
    return 0;
}
inline int use_device(int) { return 0; }

inline int allocate(void **memory, long long bytes) {
    *memory = malloc(bytes > 0 ? bytes : 1);
    return *memory == nullptr ? 1 : 0;
}
inline void release(void *memory) { free(memory); }

inline int copy_in(queue_t, void *to, const void *from, long long bytes) {
    memcpy(to, from, bytes);
    return 0;
}
inline int copy_out(queue_t, void *to, const void *from, long long bytes) {
    memcpy(to, from, bytes);
    return 0;
}
inline int copy_inside(queue_t, void *to, const void *from, long long bytes) {
    memcpy(to, from, bytes);
    return 0;
}
inline int finish(queue_t) { return 0; }

inline const char *error_text(int code) { return code == 0 ? "no error" : "out of memory"; }

}  // namespace hwa

#endif
