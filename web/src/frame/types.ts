/** ComfyUI's usual folder names, offered where a type is asked for; any other may be written. */
export const USUAL_TYPES = [
  'checkpoints', 'loras', 'vae', 'embeddings', 'controlnet', 'diffusion_models', 'text_encoders', 'upscale_models',
  'clip_vision', 'style_models', 'hypernetworks', 'ipadapter',
] as const
