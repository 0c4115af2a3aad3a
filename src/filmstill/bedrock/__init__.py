"""Amazon Bedrock: from a prepared file to a deployed and judged student, and back to nothing."""
