// Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.

// circuit: a circuit, one constant per integer; those named y are elements of a tensor,
// those named t lead there.
#ifndef HWA_CIRCUITS_CIRCUIT_H
#define HWA_CIRCUITS_CIRCUIT_H

#include "../hwa/types.h"

namespace circuits {

static const hwa::constant<6>::type circuit_table0[] =
    {16, 12, 9, 6, 4, 2, 1, 0, 0, 0, 1, 2, 4, 6, 9, 12};

HWA_CIRCUIT void circuit(
    const ap_int<4> x[4],
    ap_int<9> y[8]) {
#pragma HLS PIPELINE II=1
#pragma HLS ARRAY_PARTITION variable=x complete
#pragma HLS ARRAY_PARTITION variable=y complete
    // inputs
    const ap_int<4> x0 = x[0];
    const ap_int<4> x1 = x[1];
    const ap_int<4> x2 = x[2];
    const ap_int<4> x3 = x[3];

    // fc, from net.0
    const ap_int<6> fc_t0 = ap_int<6>(x0) + (ap_int<6>(x1) << 1);  // x0 + 2*x1
    const ap_int<7> fc_t1 = ap_int<7>(fc_t0) - (ap_int<7>(x2) << 2);  // fc_t0 - 4*x2
    const ap_int<7> fc_y0 = ap_int<7>(fc_t1) + ap_int<7>(5);  // fc_t1 + 5
    const ap_int<9> fc_y1 = (ap_int<9>(fc_t0) << 3) - ap_int<9>(x3);  // 8*fc_t0 - x3
    const ap_uint<3> fc_t2 = x2 < 0 ? ap_uint<3>(0) : ap_uint<3>(x2);  // x2 clipped to 0..7
    const ap_int<7> fc_t3 = (ap_int<7>(x3) << 3);  // 8*x3
    const ap_int<7> fc_y2 = ap_int<7>(fc_t2) + ap_int<7>(fc_t3);  // fc_t2 + fc_t3

    // act, from net.1
    // floor(fc_y0 / 4), even at a tie
    const ap_int<5> act_t0 = ap_int<5>(fc_y0 >> 2) & ap_int<5>((fc_y0 & 3) != 0 ? -1 : -2);
    // act_t0 clipped to -8..7
    const ap_int<4> act_y0 =
        act_t0 < -8 ? ap_int<4>(-8) : act_t0 > 7 ? ap_int<4>(7) : ap_int<4>(act_t0);
    // fc_y1 clipped to 0..37
    const ap_uint<6> act_y1 =
        fc_y1 < 0 ? ap_uint<6>(0) : fc_y1 > 37 ? ap_uint<6>(37) : ap_uint<6>(fc_y1);
    // max(fc_y0, fc_y2)
    const ap_int<7> act_y2 = fc_y0 > fc_y2 ? ap_int<7>(fc_y0) : ap_int<7>(fc_y2);
    const ap_int<4> act_y3 = ap_int<4>(fc_y1);  // fc_y1 modulo 16
    const ap_uint<5> act_y4 = ap_uint<5>(circuit_table0[int(x0) + 8]);  // table[x0]
    const ap_int<8> act_y5 = x1 * x2;  // x1 * x2
    // x0 where fc_y1 < 0, else fc_y2
    const ap_int<7> act_y6 = fc_y1 < 0 ? ap_int<7>(x0) : ap_int<7>(fc_y2);
    const ap_int<8> act_t1 = ap_int<8>(x3) - ap_int<8>(fc_y2);  // x3 - fc_y2
    // x3 where act_t1 < 0, else fc_y2
    const ap_int<7> act_y7 = act_t1 < 0 ? ap_int<7>(x3) : ap_int<7>(fc_y2);

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

static const hwa::constant<4>::type edges_table0[] =
    {5, -1, 0, 7, 2};

HWA_CIRCUIT void edges(
    const ap_int<32> x[1],
    const ap_int<42> in2[2],
    ap_int<34> y[5]) {
#pragma HLS PIPELINE II=1
#pragma HLS ARRAY_PARTITION variable=x complete
#pragma HLS ARRAY_PARTITION variable=in2 complete
#pragma HLS ARRAY_PARTITION variable=y complete
    // inputs
    const ap_int<32> x0 = x[0];
    const ap_int<32> in2_0 = in2[0];
    const ap_uint<41> in2_1 = in2[1];

    // e, from net.e
    const ap_int<33> e_t0 = ap_int<33>(x0) + ap_int<33>(in2_0);  // x0 + in2_0
    const ap_int<33> e_t1 = ap_int<33>(x0) - ap_int<33>(in2_0);  // x0 - in2_0
    const ap_int<34> e_t2 = ap_int<34>(in2_0) + (ap_int<34>(x0) << 1);  // in2_0 + 2*x0
    const ap_int<4> e_t3 = ap_int<4>(edges_table0[int(in2_1 - 1099511627776LL)]);  // table[in2_1]
    const ap_int<32> e_t4 = ap_int<32>(x0) + ap_int<32>(in2_0) - ap_int<32>(x0);  // x0 + in2_0 - x0

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

HWA_CIRCUIT void widths(
    const ap_uint<29> x[2],
    const ap_uint<31> in2[2],
    ap_uint<32> y[5],
    ap_int<33> rest[20]) {
#pragma HLS PIPELINE II=1
#pragma HLS ARRAY_PARTITION variable=x complete
#pragma HLS ARRAY_PARTITION variable=in2 complete
#pragma HLS ARRAY_PARTITION variable=y complete
#pragma HLS ARRAY_PARTITION variable=rest complete
    // inputs
    const ap_uint<28> x0 = x[0];
    const ap_uint<29> x1 = x[1];
    const ap_uint<30> in2_0 = in2[0];
    const ap_uint<31> in2_1 = in2[1];

    // w, from net.w
    const ap_uint<30> w_t0 = ap_uint<30>(x0) + ap_uint<30>(x1);  // x0 + x1
    const ap_uint<31> w_t1 = ap_uint<31>(x0) + ap_uint<31>(in2_0);  // x0 + in2_0
    const ap_uint<32> w_t2 = ap_uint<32>(x0) + ap_uint<32>(in2_1);  // x0 + in2_1
    const ap_uint<30> w_t3 = ap_uint<30>(x0) + (ap_uint<30>(x0) << 1);  // x0 + 2*x0
    const ap_uint<30> w_t4 = ap_uint<30>(x1) + (ap_uint<30>(x0) << 1);  // x1 + 2*x0
    const ap_uint<31> w_t5 = ap_uint<31>(in2_0) + (ap_uint<31>(x0) << 1);  // in2_0 + 2*x0
    // x0 + 2*x0 + x0
    const ap_uint<32> w_t6 = ap_uint<32>(x0) + (ap_uint<32>(x0) << 1) + ap_uint<32>(x0);
    // x0 + 2*x1 + x1
    const ap_uint<32> w_t7 = ap_uint<32>(x0) + (ap_uint<32>(x1) << 1) + ap_uint<32>(x1);
    // x0 + 2*in2_0 + in2_0
    const ap_uint<32> w_t8 = ap_uint<32>(x0) + (ap_uint<32>(in2_0) << 1) + ap_uint<32>(in2_0);
    // x0 + 2*in2_1 + in2_1
    const ap_uint<32> w_t9 = ap_uint<32>(x0) + (ap_uint<32>(in2_1) << 1) + ap_uint<32>(in2_1);
    const ap_uint<31> w_t10 = ap_uint<31>(x0) + ap_uint<31>(x0) + ap_uint<31>(x0);  // x0 + x0 + x0
    // x0 clipped to 5..134217719
    const ap_uint<27> w_t11 =
        x0 < 5 ? ap_uint<27>(5) : x0 > 134217719 ? ap_uint<27>(134217719) : ap_uint<27>(x0);
    // x1 clipped to 5..134217719
    const ap_uint<27> w_t12 =
        x1 < 5 ? ap_uint<27>(5) : x1 > 134217719 ? ap_uint<27>(134217719) : ap_uint<27>(x1);
    // in2_0 clipped to 5..134217719
    const ap_uint<27> w_t13 =
        in2_0 < 5 ? ap_uint<27>(5) : in2_0 > 134217719 ? ap_uint<27>(134217719) :
        ap_uint<27>(in2_0);
    // in2_1 clipped to 5..134217719
    const ap_uint<27> w_t14 =
        in2_1 < 5 ? ap_uint<27>(5) : in2_1 > 134217719 ? ap_uint<27>(134217719) :
        ap_uint<27>(in2_1);
    const ap_int<27> w_t15 = ap_int<27>(x0);  // x0 modulo 134217728
    const ap_int<27> w_t16 = ap_int<27>(x1);  // x1 modulo 134217728
    const ap_int<27> w_t17 = ap_int<27>(in2_0);  // in2_0 modulo 134217728
    const ap_int<27> w_t18 = ap_int<27>(in2_1);  // in2_1 modulo 134217728
    // x0 clipped to 0..33554432
    const ap_uint<26> w_t19 = x0 > 33554432 ? ap_uint<26>(33554432) : ap_uint<26>(x0);
    // x0 clipped to 0..67108864
    const ap_uint<27> w_t20 = x0 > 67108864 ? ap_uint<27>(67108864) : ap_uint<27>(x0);
    const ap_uint<26> w_t21 = (x1 >> 3);  // floor(x1 / 8)
    const ap_uint<31> w_t22 = (ap_uint<31>(x0) << 3);  // 8*x0
    // floor(in2_0 / 16), even at a tie
    const ap_uint<26> w_t23 = ap_uint<26>(in2_0 >> 4) & ap_uint<26>((in2_0 & 15) != 0 ? -1 : -2);
    // max(in2_0, in2_1)
    const ap_uint<31> w_t24 = in2_0 > in2_1 ? ap_uint<31>(in2_0) : ap_uint<31>(in2_1);

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

HWA_CIRCUIT void random(
    const ap_int<41> x[4],
    const ap_int<12> in2[4],
    ap_int<45> y[5],
    ap_int<49> rest[11]) {
#pragma HLS PIPELINE II=1
#pragma HLS ARRAY_PARTITION variable=x complete
#pragma HLS ARRAY_PARTITION variable=in2 complete
#pragma HLS ARRAY_PARTITION variable=y complete
#pragma HLS ARRAY_PARTITION variable=rest complete
    // inputs
    const ap_int<41> x0 = x[0];
    const ap_uint<12> x1 = x[1];
    const ap_int<41> x2 = x[2];
    const ap_uint<3> x3 = x[3];
    const ap_int<3> in2_0 = in2[0];
    const ap_uint<8> in2_1 = in2[1];
    const ap_uint<1> in2_2 = in2[2];

    // layer0, from net.layer0
    const ap_int<2> layer0_y10 = (in2_0 >> 1);  // floor(in2_0 / 2)
    const ap_int<4> layer0_t0 = ap_int<4>(x3) - ap_int<4>(in2_2);  // x3 - in2_2
    // x3 where layer0_t0 < 0, else in2_2
    const ap_uint<1> layer0_y11 = layer0_t0 < 0 ? ap_uint<1>(x3) : ap_uint<1>(in2_2);
    const ap_int<41> layer0_y12 = ap_int<41>(in2_2) - ap_int<41>(x2);  // in2_2 - x2
    // layer0_y10 - 2*layer0_y10
    const ap_int<3> layer0_y13 = ap_int<3>(layer0_y10) - (ap_int<3>(layer0_y10) << 1);
    const ap_int<42> layer0_y15 = ap_int<42>(layer0_y12) + ap_int<42>(x2);  // layer0_y12 + x2
    const ap_int<49> layer0_y16 = in2_1 * layer0_y12;  // in2_1 * layer0_y12
    // 4*x0 + layer0_y15
    const ap_int<44> layer0_t1 = (ap_int<44>(x0) << 2) + ap_int<44>(layer0_y15);
    // x3 clipped to 3..6
    const ap_uint<3> layer0_y18 = x3 < 3 ? ap_uint<3>(3) : x3 > 6 ? ap_uint<3>(6) : ap_uint<3>(x3);
    // 8*layer0_y15 - -1
    const ap_int<45> layer0_t2 = (ap_int<45>(layer0_y15) << 3) - ap_int<45>(-1);
    // 4*layer0_y11 + in2_1
    const ap_uint<8> layer1_y22 = (ap_uint<8>(layer0_y11) << 2) + ap_uint<8>(in2_1);
    // 8*layer0_y18 + in2_1
    const ap_uint<8> layer1_t0 = (ap_uint<8>(layer0_y18) << 3) + ap_uint<8>(in2_1);
    // floor(layer0_y16 / 32), even at a tie
    const ap_int<44> layer1_y24 =
        ap_int<44>(layer0_y16 >> 5) & ap_int<44>((layer0_y16 & 31) != 0 ? -1 : -2);
    // layer0_t2 - 4*in2_0
    const ap_int<45> layer1_t1 = ap_int<45>(layer0_t2) - (ap_int<45>(in2_0) << 2);
    // layer1_t1 - 16*layer1_t1
    const ap_int<49> layer1_t2 = ap_int<49>(layer1_t1) - (ap_int<49>(layer1_t1) << 4);
    // max(in2_2, layer0_y16)
    const ap_uint<48> layer1_y30 =
        ap_int<49>(in2_2) > ap_int<49>(layer0_y16) ? ap_uint<48>(in2_2) : ap_uint<48>(layer0_y16);
    // 8*layer1_t0 - layer1_t2
    const ap_int<49> layer1_t3 = (ap_int<49>(layer1_t0) << 3) - ap_int<49>(layer1_t2);
    // layer0_t1 clipped to -4715234697558..-3103283041068
    const ap_int<44> layer1_t4 =
        layer0_t1 < -4715234697558LL ? ap_int<44>(-4715234697558LL) : layer0_t1 > -3103283041068LL ?
        ap_int<44>(-3103283041068LL) : ap_int<44>(layer0_t1);
    // layer1_t2 + 2*layer1_y24
    const ap_int<49> layer1_t5 = ap_int<49>(layer1_t2) + (ap_int<49>(layer1_y24) << 1);
    // 16*layer1_y24 - layer1_y22
    const ap_int<48> layer1_t6 = (ap_int<48>(layer1_y24) << 4) - ap_int<48>(layer1_y22);
    // -27 + 16*layer1_y22
    const ap_uint<12> layer1_y37 = ap_uint<12>(-27) + (ap_uint<12>(layer1_y22) << 4);
    // layer1_t2 - layer1_t3
    const ap_int<50> layer1_t7 = ap_int<50>(layer1_t2) - ap_int<50>(layer1_t3);
    // layer1_t2 where layer1_t7 < 0, else layer1_t3
    const ap_int<49> layer1_t8 = layer1_t7 < 0 ? ap_int<49>(layer1_t2) : ap_int<49>(layer1_t3);
    const ap_int<45> layer1_t9 = (ap_int<45>(layer1_t4) << 1) + ap_int<45>(49);  // 2*layer1_t4 + 49

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
