#include "reference/model/recipes.h"

namespace assay {

Status set_recipe(ModelConfig& config, std::string_view name) {
  if (name.empty()) return {};
  if (name != kMlaAbsorbed) {
    return Error{.code = Code::usage,
                 .message = "there is no such recipe",
                 .field = "--recipe",
                 .expected = std::string(kMlaAbsorbed),
                 .got = std::string(name.substr(0, 120))};
  }
  if (config.attention != AttentionKind::latent) {
    return Error{
        .code = Code::usage,
        .message =
            "this recipe is one of latent attention (MLA), which this model does not have; leave it out",
        .field = "--recipe",
        .expected = "a model of DeepSeek-V2 or V3",
        .got = config.model_type};
  }
  config.latent_form = LatentForm::absorbed;
  return {};
}

std::string recipe_of(const ModelConfig& config) {
  std::string out(name_of(config.quant.recipe));
  if (config.absorbs()) out.append(", ").append(kMlaAbsorbed);
  return out;
}

}  // namespace assay
