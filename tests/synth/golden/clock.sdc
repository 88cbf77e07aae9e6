create_clock -name clk -period 6.666 [get_ports clk]
