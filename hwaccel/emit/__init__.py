"""Plain data into dumb templates: Verilog, HLS C++, CUDA."""
