// Integers of exact width, tables of constants, and the elements of a beat.
//
// A stream carries beats; a beat holds LANES elements of equal width, element 0 in the low bits.
// Tensors stream pixel by pixel in row order, the channels of one pixel innermost.
#ifndef HWA_TYPES_H
#define HWA_TYPES_H

// Labels name the loops in synthesis reports and directives; g++ would call them unused. And the
// default constructor of ap_int reads the value it is about to set.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wunused-label"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <ap_int.h>
#include <hls_stream.h>

#include <type_traits>

// A function of thousands of statements that is called a few times: g++ spends minutes and
// gigabytes on optimizing it.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SYNTHESIS__)
#define HWA_CIRCUIT __attribute__((optimize("O0"))) inline
#else
#define HWA_CIRCUIT inline
#endif

namespace hwa {

// Element of a table of signed constants of BITS bits. Simulation keeps them in native integers:
// a compiler builds arrays of ap_int one constructor at a time, which takes minutes for a network.
#if defined(__SYNTHESIS__) || defined(HWA_EXACT_TABLES)
template <int BITS>
struct constant {
    typedef ap_int<BITS> type;
};
#else
template <int BITS>
struct constant {
    typedef typename std::conditional<
        (BITS <= 8), signed char,
        typename std::conditional<
            (BITS <= 16), short,
            typename std::conditional<(BITS <= 32), int, long long>::type>::type>::type type;
};
#endif

// Element i of a beat.
template <class T, int BITS>
T get_lane(const ap_uint<BITS> &beat, int i) {
#pragma HLS INLINE
    T value;
    value = beat.range((i + 1) * T::width - 1, i * T::width);
    return value;
}

// Put an element into a beat.
template <class T, int BITS>
void set_lane(ap_uint<BITS> &beat, int i, const T &value) {
#pragma HLS INLINE
    beat.range((i + 1) * T::width - 1, i * T::width) = ap_uint<T::width>(value);
}

}  // namespace hwa

#endif
