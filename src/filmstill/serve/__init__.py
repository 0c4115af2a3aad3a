"""HTTP: the native API, Bedrock's and OpenAI's."""
