"""The same inputs on machines that differ in everything else give the same digest."""
