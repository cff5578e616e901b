// Written by write_settings.py: the variables that hold the keys.
export const BY_PRESET: Record<string, string> = {
  "odeus": "ODEUS_API_KEY",
  "odeus-dedicated": "ODEUS_API_KEY",
  "mistral": "MISTRAL_API_KEY",
  "codestral": "CODESTRAL_API_KEY",
  "llamacpp": "LLAMA_API_KEY",
  "ollama": "OLLAMA_API_KEY",
  "vllm": "VLLM_API_KEY",
  "deepseek": "DEEPSEEK_API_KEY",
  "inception": "INCEPTION_API_KEY"
};
export const BY_PROVIDER: Record<string, string> = {
  "mistral": "ODEUS_API_KEY",
  "llamacpp": "LLAMA_API_KEY",
  "ollama": "OLLAMA_API_KEY",
  "openai": "VLLM_API_KEY",
  "deepseek": "DEEPSEEK_API_KEY",
  "inception": "INCEPTION_API_KEY"
};
export const DEFAULT_VARIABLE = "ODEUS_API_KEY";
