"""What a home would have used without an event: methods, their error on days without one, and what was delivered.

history --> methods (matching, regression) --> placebo (each method on past days) --> chosen, with its 80 % interval
devices: what a car or tank with its own meter would have done        delivered: baseline minus measurement
"""
