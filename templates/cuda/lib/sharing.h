// A batch on every device there is, each computing a run of its samples in a thread of its own.
#ifndef HWA_SHARING_H
#define HWA_SHARING_H

#include <system_error>
#include <thread>
#include <vector>

namespace hwa {

// Calls work(first, last) for runs of samples, as equal as may be, that are all of the batch. With
// one device that is the current one, in this thread. Returns 0, or the code of the first run that
// failed.
template <class WORK>
int on_all_devices(long long count, const WORK &work) {
    int devices = 1;
    const int code = device_count(&devices);
    if (code != 0) return code;
    if (devices > count) devices = int(count);
    if (devices < 2) return work(0, count);

    std::vector<int> codes(devices, 0);
    const auto begin = [&](int device) {
        return count / devices * device + count % devices * device / devices;
    };
    const auto share = [&](int device) {
        codes[device] = use_device(device);
        if (codes[device] == 0) codes[device] = work(begin(device), begin(device + 1));
    };
    std::vector<std::thread> threads;
    for (int device = 0; device < devices; device++) {
        try {
            threads.emplace_back(share, device);
        } catch (const std::system_error &) {
            share(device);  // no more threads: one after the other
        }
    }
    for (std::thread &thread : threads) thread.join();
    for (int found : codes) {
        if (found != 0) return found;
    }
    return 0;
}

}  // namespace hwa

#endif
