// Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.

// circuit: a circuit, one constant per integer; those named y are elements of a tensor,
// those named t lead there.
#ifndef HWA_CIRCUITS_CIRCUIT_H
#define HWA_CIRCUITS_CIRCUIT_H

#include "../hwa/types.h"

namespace circuits {

HWA_TABLE int8_t circuit_table0[] =
    {16, 12, 9, 6, 4, 2, 1, 0, 0, 0, 1, 2, 4, 6, 9, 12};

HWA_DEVICE void circuit(
    const int8_t x[4],
    int16_t y[8]) {
    // inputs
    const int32_t x0 = x[0];
    const int32_t x1 = x[1];
    const int32_t x2 = x[2];
    const int32_t x3 = x[3];

    // fc, from net.0
    const int32_t fc_t0 = x0 + x1 * 2;  // x0 + 2*x1
    const int32_t fc_t1 = fc_t0 - x2 * 4;  // fc_t0 - 4*x2
    const int32_t fc_y0 = fc_t1 + 5;  // fc_t1 + 5
    const int32_t fc_y1 = fc_t0 * 8 - x3;  // 8*fc_t0 - x3
    const int32_t fc_t2 = x2 < 0 ? 0 : x2;  // x2 clipped to 0..7
    const int32_t fc_t3 = x3 * 8;  // 8*x3
    const int32_t fc_y2 = fc_t2 + fc_t3;  // fc_t2 + fc_t3

    // act, from net.1
    // floor(fc_y0 / 4), even at a tie
    const int32_t act_t0 = (fc_y0 >> 2) & ((fc_y0 & 3) != 0 ? -1 : -2);
    const int32_t act_y0 = act_t0 < -8 ? -8 : act_t0 > 7 ? 7 : act_t0;  // act_t0 clipped to -8..7
    const int32_t act_y1 = fc_y1 < 0 ? 0 : fc_y1 > 37 ? 37 : fc_y1;  // fc_y1 clipped to 0..37
    const int32_t act_y2 = fc_y0 > fc_y2 ? fc_y0 : fc_y2;  // max(fc_y0, fc_y2)
    const int32_t act_y3 = ((fc_y1 + 8) & 15) - 8;  // fc_y1 modulo 16
    const int32_t act_y4 = circuit_table0[int(x0) + 8];  // table[x0]
    const int32_t act_y5 = x1 * x2;  // x1 * x2
    const int32_t act_y6 = fc_y1 < 0 ? x0 : fc_y2;  // x0 where fc_y1 < 0, else fc_y2
    const int32_t act_t1 = x3 - fc_y2;  // x3 - fc_y2
    const int32_t act_y7 = act_t1 < 0 ? x3 : fc_y2;  // x3 where act_t1 < 0, else fc_y2

    // outputs
    y[0] = act_y0;
    y[1] = act_y1;
    y[2] = act_y2;
    y[3] = act_y3;
    y[4] = act_y4;
    y[5] = act_y5;
    y[6] = act_y6;
    y[7] = act_y7;
}

}  // namespace circuits

#endif

// Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.

// edges: a circuit, one constant per integer; those named y are elements of a tensor,
// those named t lead there.
#ifndef HWA_CIRCUITS_EDGES_H
#define HWA_CIRCUITS_EDGES_H

#include "../hwa/types.h"

namespace circuits {

HWA_TABLE int8_t edges_table0[] =
    {5, -1, 0, 7, 2};

HWA_DEVICE void edges(
    const int32_t x[1],
    const int64_t in2[2],
    int64_t y[5]) {
    // inputs
    const int32_t x0 = x[0];
    const int32_t in2_0 = in2[0];
    const int64_t in2_1 = in2[1];

    // e, from net.e
    const int64_t e_t0 = int64_t(x0) + int64_t(in2_0);  // x0 + in2_0
    const int64_t e_t1 = int64_t(x0) - int64_t(in2_0);  // x0 - in2_0
    const int64_t e_t2 = int64_t(in2_0) + int64_t(x0) * 2;  // in2_0 + 2*x0
    const int64_t e_t3 = int64_t(edges_table0[int(in2_1 - 1099511627776LL)]);  // table[in2_1]
    const int64_t e_t4 = int64_t(x0) + int64_t(in2_0) - int64_t(x0);  // x0 + in2_0 - x0

    // outputs
    y[0] = e_t0;
    y[1] = e_t1;
    y[2] = e_t2;
    y[3] = e_t3;
    y[4] = e_t4;
}

}  // namespace circuits

#endif

// Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.

// widths: a circuit, one constant per integer; those named y are elements of a tensor,
// those named t lead there.
#ifndef HWA_CIRCUITS_WIDTHS_H
#define HWA_CIRCUITS_WIDTHS_H

#include "../hwa/types.h"

namespace circuits {

HWA_DEVICE void widths(
    const uint32_t x[2],
    const uint32_t in2[2],
    uint32_t y[5],
    int64_t rest[20]) {
    // inputs
    const int32_t x0 = x[0];
    const int32_t x1 = x[1];
    const int32_t in2_0 = in2[0];
    const int32_t in2_1 = in2[1];

    // w, from net.w
    const int32_t w_t0 = x0 + x1;  // x0 + x1
    const int32_t w_t1 = x0 + in2_0;  // x0 + in2_0
    const int64_t w_t2 = int64_t(x0) + int64_t(in2_1);  // x0 + in2_1
    const int32_t w_t3 = x0 + x0 * 2;  // x0 + 2*x0
    const int32_t w_t4 = x1 + x0 * 2;  // x1 + 2*x0
    const int32_t w_t5 = in2_0 + x0 * 2;  // in2_0 + 2*x0
    const int64_t w_t6 = int64_t(x0) + int64_t(x0) * 2 + int64_t(x0);  // x0 + 2*x0 + x0
    const int64_t w_t7 = int64_t(x0) + int64_t(x1) * 2 + int64_t(x1);  // x0 + 2*x1 + x1
    const int64_t w_t8 = int64_t(x0) + int64_t(in2_0) * 2 + int64_t(in2_0);  // x0 + 2*in2_0 + in2_0
    const int64_t w_t9 = int64_t(x0) + int64_t(in2_1) * 2 + int64_t(in2_1);  // x0 + 2*in2_1 + in2_1
    const int32_t w_t10 = x0 + x0 + x0;  // x0 + x0 + x0
    // x0 clipped to 5..134217719
    const int32_t w_t11 = x0 < 5 ? 5 : x0 > 134217719 ? 134217719 : x0;
    // x1 clipped to 5..134217719
    const int32_t w_t12 = x1 < 5 ? 5 : x1 > 134217719 ? 134217719 : x1;
    // in2_0 clipped to 5..134217719
    const int32_t w_t13 = in2_0 < 5 ? 5 : in2_0 > 134217719 ? 134217719 : in2_0;
    // in2_1 clipped to 5..134217719
    const int64_t w_t14 =
        in2_1 < 5 ? int64_t(5) : in2_1 > 134217719 ? int64_t(134217719) : int64_t(in2_1);
    const int32_t w_t15 = ((x0 + 67108864) & 134217727) - 67108864;  // x0 modulo 134217728
    const int32_t w_t16 = ((x1 + 67108864) & 134217727) - 67108864;  // x1 modulo 134217728
    const int32_t w_t17 = ((in2_0 + 67108864) & 134217727) - 67108864;  // in2_0 modulo 134217728
    const int64_t w_t18 = ((in2_1 + 67108864) & 134217727) - 67108864;  // in2_1 modulo 134217728
    const int32_t w_t19 = x0 > 33554432 ? 33554432 : x0;  // x0 clipped to 0..33554432
    const int32_t w_t20 = x0 > 67108864 ? 67108864 : x0;  // x0 clipped to 0..67108864
    const int32_t w_t21 = (x1 >> 3);  // floor(x1 / 8)
    const int32_t w_t22 = x0 * 8;  // 8*x0
    // floor(in2_0 / 16), even at a tie
    const int32_t w_t23 = (in2_0 >> 4) & ((in2_0 & 15) != 0 ? -1 : -2);
    const int32_t w_t24 = in2_0 > in2_1 ? in2_0 : in2_1;  // max(in2_0, in2_1)

    // outputs
    y[0] = w_t0;
    y[1] = w_t1;
    y[2] = w_t2;
    y[3] = w_t3;
    y[4] = w_t4;
    rest[0] = w_t5;
    rest[1] = w_t6;
    rest[2] = w_t7;
    rest[3] = w_t8;
    rest[4] = w_t9;
    rest[5] = w_t10;
    rest[6] = w_t11;
    rest[7] = w_t12;
    rest[8] = w_t13;
    rest[9] = w_t14;
    rest[10] = w_t15;
    rest[11] = w_t16;
    rest[12] = w_t17;
    rest[13] = w_t18;
    rest[14] = w_t19;
    rest[15] = w_t20;
    rest[16] = w_t21;
    rest[17] = w_t22;
    rest[18] = w_t23;
    rest[19] = w_t24;
}

}  // namespace circuits

#endif

// Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.

// random: a circuit, one constant per integer; those named y are elements of a tensor,
// those named t lead there.
#ifndef HWA_CIRCUITS_RANDOM_H
#define HWA_CIRCUITS_RANDOM_H

#include "../hwa/types.h"

namespace circuits {

HWA_DEVICE void random(
    const int64_t x[4],
    const int16_t in2[4],
    int64_t y[5],
    int64_t rest[11]) {
    // inputs
    const int64_t x0 = x[0];
    const int32_t x1 = x[1];
    const int64_t x2 = x[2];
    const int32_t x3 = x[3];
    const int32_t in2_0 = in2[0];
    const int32_t in2_1 = in2[1];
    const int32_t in2_2 = in2[2];

    // layer0, from net.layer0
    const int32_t layer0_y10 = (in2_0 >> 1);  // floor(in2_0 / 2)
    const int32_t layer0_t0 = x3 - in2_2;  // x3 - in2_2
    const int32_t layer0_y11 = layer0_t0 < 0 ? x3 : in2_2;  // x3 where layer0_t0 < 0, else in2_2
    const int64_t layer0_y12 = int64_t(in2_2) - int64_t(x2);  // in2_2 - x2
    const int32_t layer0_y13 = layer0_y10 - layer0_y10 * 2;  // layer0_y10 - 2*layer0_y10
    const int64_t layer0_y15 = int64_t(layer0_y12) + int64_t(x2);  // layer0_y12 + x2
    const int64_t layer0_y16 = int64_t(in2_1) * layer0_y12;  // in2_1 * layer0_y12
    const int64_t layer0_t1 = int64_t(x0) * 4 + int64_t(layer0_y15);  // 4*x0 + layer0_y15
    const int32_t layer0_y18 = x3 < 3 ? 3 : x3 > 6 ? 6 : x3;  // x3 clipped to 3..6
    const int64_t layer0_t2 = int64_t(layer0_y15) * 8 - int64_t(-1);  // 8*layer0_y15 - -1
    const int32_t layer1_y22 = layer0_y11 * 4 + in2_1;  // 4*layer0_y11 + in2_1
    const int32_t layer1_t0 = layer0_y18 * 8 + in2_1;  // 8*layer0_y18 + in2_1
    // floor(layer0_y16 / 32), even at a tie
    const int64_t layer1_y24 = int64_t(layer0_y16 >> 5) & int64_t((layer0_y16 & 31) != 0 ? -1 : -2);
    const int64_t layer1_t1 = int64_t(layer0_t2) - int64_t(in2_0) * 4;  // layer0_t2 - 4*in2_0
    // layer1_t1 - 16*layer1_t1
    const int64_t layer1_t2 = int64_t(layer1_t1) - int64_t(layer1_t1) * 16;
    // max(in2_2, layer0_y16)
    const int64_t layer1_y30 = in2_2 > layer0_y16 ? int64_t(in2_2) : int64_t(layer0_y16);
    // 8*layer1_t0 - layer1_t2
    const int64_t layer1_t3 = int64_t(layer1_t0) * 8 - int64_t(layer1_t2);
    // layer0_t1 clipped to -4715234697558..-3103283041068
    const int64_t layer1_t4 =
        layer0_t1 < -4715234697558LL ? int64_t(-4715234697558LL) : layer0_t1 > -3103283041068LL ?
        int64_t(-3103283041068LL) : int64_t(layer0_t1);
    // layer1_t2 + 2*layer1_y24
    const int64_t layer1_t5 = int64_t(layer1_t2) + int64_t(layer1_y24) * 2;
    // 16*layer1_y24 - layer1_y22
    const int64_t layer1_t6 = int64_t(layer1_y24) * 16 - int64_t(layer1_y22);
    const int32_t layer1_y37 = -27 + layer1_y22 * 16;  // -27 + 16*layer1_y22
    const int64_t layer1_t7 = int64_t(layer1_t2) - int64_t(layer1_t3);  // layer1_t2 - layer1_t3
    // layer1_t2 where layer1_t7 < 0, else layer1_t3
    const int64_t layer1_t8 = layer1_t7 < 0 ? int64_t(layer1_t2) : int64_t(layer1_t3);
    const int64_t layer1_t9 = int64_t(layer1_t4) * 2 + int64_t(49);  // 2*layer1_t4 + 49

    // outputs
    y[0] = layer0_y18;
    y[1] = x1;
    y[2] = layer0_y13;
    y[3] = layer0_y11;
    y[4] = layer1_t1;
    rest[0] = layer1_t2;
    rest[1] = layer1_y30;
    rest[2] = layer1_t3;
    rest[3] = layer1_t4;
    rest[4] = layer1_t5;
    rest[5] = layer1_y22;
    rest[6] = layer1_t6;
    rest[7] = 0;
    rest[8] = layer1_y37;
    rest[9] = layer1_t8;
    rest[10] = layer1_t9;
}

}  // namespace circuits

#endif
