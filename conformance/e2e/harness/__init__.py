"""What every scenario needs: processes, the real Kafka, sluice, stock clients, their histories, and a report."""
