# assay_embed_migrations(OUTPUT): writes a .cc with every schema/NNN_name.sql as a string, in order.
function(assay_embed_migrations output)
  file(GLOB migrations CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/schema/*.sql)
  list(SORT migrations)
  set(entries "")
  foreach(path IN LISTS migrations)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} text)
    get_filename_component(name ${path} NAME)
    string(APPEND entries "    {\"${name}\", R\"sql(${text})sql\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "// Generated from reports/schema by cmake.
#include \"reports/migrations.h\"

namespace assay {

std::span<const Migration> migrations() {
  static const Migration kAll[] = {
@entries@  };
  return kAll;
}

}  // namespace assay
")
endfunction()
