"""The only durable state: where what was accepted waits until Splunk has it."""
