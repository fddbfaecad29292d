"""Room backtest."""
