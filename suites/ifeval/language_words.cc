#include "suites/ifeval/language_words.h"

namespace assay {
namespace {

constexpr LanguageFacts kFacts[] = {
    {"en", Script::latin,
     "the of and to in is that it was for on are as with they be at this have from or by but not what all were when we there can an your which their if "
     "will each about how up out them then she many some so these would into has her two more his him see could no than been who its my you i he our do "
     "should may over such through me also where here because please why only very while after before just well new any most us",
     "",
     "ing tion ight ough ness ly ed th ss ful ers less ment ings ies ways"},
    {"af", Script::latin,
     "die en van is in het nie wat vir om te dat met hy sy ek jy ons hulle aan op word as ook deur kan sal so was of by uit na maar een my jou hierdie "
     "daar baie moet haar",
     "ê"},
    {"ca", Script::latin,
     "el la els les de i que a en un una per amb no és del al dels als es se com més o però són ha aquest aquesta també entre fins sobre sense molt quan "
     "perquè on tot seva seu ser pot",
     "çŀàè",
     "ció tat ment ant ent ats its"},
    {"cs", Script::latin,
     "a se v na je že o s z do to i ve jsou ale jako pro za by k si od po které který která jeho jsem být tak jak také než nebo jen již pod není která "
     "když aby však u bylo",
     "ěřůčšžýď"},
    {"cy", Script::latin,
     "yn y a i o ar yr mae ei ac am wedi gan eu i'r oedd bod hyn fel ond un fod nid ni sydd hefyd at hwn mewn er neu ein chi eich roedd gyda dros bydd",
     "ŵŷ"},
    {"da", Script::latin,
     "og i at det er en til af på de med for den der som ikke et har han var jeg fra vi kan om men sig ud efter også skal blev hun ved eller nu bliver "
     "meget hvad mod mere noget dig af hvor når være dette deres",
     "æø",
     ""},
    {"de", Script::latin,
     "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am "
     "sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei ich du wir ihr kann wenn sehr diese mein "
     "dein unser was hier",
     "ßäöü",
     "ung keit heit lich isch chen schaft ten gen end igen tig"},
    {"es", Script::latin,
     "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre "
     "también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos qué unos yo otro "
     "otras es son ser está están puede pueden tu tus mi",
     "ñ¿¡",
     "ción dad mente ando iendo ado ada ido ida os as ar ía cia ivo ero ores aje eza"},
    {"et", Script::latin,
     "ja on ei et see kui ka oli mis ta ma oma aga siis nii või kes välja veel nagu need selle seda üle kõik ning ole mida pärast sest juba kas tema mu "
     "sa me te nad olen pole väga meie",
     "õäöü"},
    {"fi", Script::latin,
     "ja on ei se että hän oli mutta ovat kun joka niin myös tai sen kuin mitä jos minä sinä me te he ne nyt jo vain sitä ole olla hänen mikä sekä kaikki "
     "jotka tämä voi siitä olen kanssa vielä sitten niitä ollut hyvin siinä tämän jonka ovat voit",
     "äö",
     "ssa ssä lla llä sta stä lle nen ista aan een iin jen den ksi uus yys taa tää"},
    {"fr", Script::latin,
     "de la le et les des en un une du que est pour qui dans a par plus pas au sur ne se ce il sont avec son elle nous vous ils ou mais comme tout aux "
     "cette ses leur être même sans si je tu fait deux ont leurs bien peut aussi très après entre ces était y donc car où mon ma mes notre votre vos "
     "cela dont oui non merci bonjour sous chaque ni avoir vie temps ainsi toujours jamais rien",
     "œçêèàù",
     "tion ment eur euse eux aux ence ance ique elle ette ée ées er ez ais ait ent ons ure eau oir tés té ille esse"},
    {"hr", Script::latin,
     "i je u na se da su za od s a o kao ne što sa koji koja će iz bi ili to po samo sve ali tako biti bio ako nije kako te prema jer još može do kada "
     "mi vi oni smo ste sam njegov vrlo",
     "đčćšž"},
    {"hu", Script::latin,
     "a az és hogy nem is egy ez de meg van csak már még volt ha mint el kell vagy azt lesz amely után én te ő mi ti ők ki ami minden nagyon így vagyok "
     "sem lehet ezt most ennek által között szerint",
     "őűöü"},
    {"id", Script::latin,
     "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena oleh ada kami kita mereka dia bisa telah atau lebih dapat adalah "
     "sebagai seperti anda harus sudah secara sangat tetapi namun para bahwa banyak menjadi tersebut",
     "",
     "kan nya lah"},
    {"it", Script::latin,
     "di e che il la in a per un è non una sono del i le della si con da come alla al dei più gli o lo nel dalla anche ma ha questo questa se delle tutto "
     "quando mi ci molto essere tra fra loro suo sua perché dove chi cosa io tu lui lei noi voi hanno può degli nella ed",
     "ìò",
     "zione mente ità are ere ire ato ata ito ono ella ello etta etto ini nte iche isce ore ati ate elle ano osa"},
    {"lt", Script::latin,
     "ir yra kad į iš su ne tai bet kaip o jis jo ar buvo jau dėl tik per ji už nuo apie po iki prie jų mes aš tu jie kai labai gali turi taip savo kuris "
     "kurie arba",
     "ėųįūąęčšž"},
    {"lv", Script::latin,
     "un ir ar no uz ka kas par tas es tu viņš viņa mēs jūs viņi bet kā arī lai pie pēc līdz kad vai jau tikai ļoti šis šī tā to bija būt nav vairāk "
     "gan savu",
     "āēīūģķļņčšž"},
    {"nl", Script::latin,
     "de van een het en in is dat op te zijn voor met die niet aan er om ook als dan maar bij nog uit naar wordt door heeft je ik hij we ze zo over worden "
     "kan tot hun of onder deze dit wel al was haar meer zou geen mijn jouw onze deze waar veel moet",
     "",
     "ing heid lijk tje aar oor ijn uis oek"},
    {"no", Script::latin,
     "og i det er på som en til av for at med ikke de har den jeg var et om vi han men seg fra kan skal også så etter ut ble nå ved hun eller være bare "
     "hvor blir noe deg når mer mye dette dem opp våre",
     "æø",
     ""},
    {"pl", Script::latin,
     "i w na z do nie się to że jest o jak a po co tak za od ale przez dla czy tylko ich już jego był przy oraz może być są ma który które która jej ten "
     "tym bardzo gdy lub ze pod nad ja ty my wy oni jeśli",
     "łąęśżźćń"},
    {"pt", Script::latin,
     "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu "
     "também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles estão você tinha foram essa num nem suas meu às "
     "minha são pode",
     "ãõ",
     "ção ções dade mente ando endo ado ada inho ões agem eiro"},
    {"ro", Script::latin,
     "de și în a la cu pe nu o că este din se un mai pentru care sunt ce sau ca am ai are fi el ea noi voi ei dar după până când foarte prin fost lor să "
     "al ale unei unui acest această",
     "ăâîșțşţ",
     "ție țiune ului ilor esc ește"},
    {"sk", Script::latin,
     "a v na sa je že o s z do to aj vo sú ale ako pre za by k si od po ktoré ktorý ktorá jeho som byť tak tiež než alebo len už pod nie keď aby však bolo "
     "veľmi môže",
     "ľĺŕôäčšžť"},
    {"sl", Script::latin,
     "in je v na se da za so z ki pa ne s tudi kot po bi od pri še o do ali kar ker le že biti bil lahko ko če smo ste sem zelo kako njegov vse med "
     "prav",
     "čšž"},
    {"so", Script::latin,
     "waa oo in ka ku iyo ay ah la uu si ma lagu waxaa ee ahaa aad soo kale wax kala leh isku waxay ayaa badan dad taas kuwa haa waxa inay inuu mid sida",
     ""},
    {"sq", Script::latin,
     "e të në dhe i për me që një nga u do ka së si është janë por nuk kjo ky kanë më ose edhe kur mund ishte pas tij saj tyre unë ti ne ju ata shumë "
     "duke këtë",
     "ëç"},
    {"sv", Script::latin,
     "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan man när år säger hon under också efter eller "
     "nu sin där vid mot ska skulle kommer ut får finns vara hade alla mycket detta deras",
     "åäö",
     ""},
    {"sw", Script::latin,
     "ya na wa kwa ni katika la za kuwa hii hiyo cha watu yake kama pia lakini au si sana huu hizo zaidi baada moja kila ambayo ambao hilo yetu yako "
     "wake wao mimi wewe yeye sisi ninyi kutoka kufanya hivyo vya hadi bila kwamba mtu mambo yangu tu hapa wakati ili kuna mwa haya hayo nchi siku "
     "huo ndani nyingi wengi mingi",
     ""},
    {"tl", Script::latin,
     "ang ng sa na mga ay at ito si ni para kung may isang hindi ko mo siya niya kanyang kayo kami tayo sila pero dahil lamang din rin nang naman "
     "ako ikaw iyong aking upang maaari kaya bilang ating po",
     ""},
    {"tr", Script::latin,
     "ve bir bu da de için ile çok olarak daha en ne gibi kadar o ama olan var ya mi sonra ben sen biz siz onlar her değil olduğu ise ki şey göre çünkü "
     "eden hem veya tüm olur",
     "ığşİ",
     "lar ler yor mak mek dır dir"},
    {"vi", Script::latin,
     "và của là có không được cho các một những trong với người để đã này khi đến về như cũng từ tôi bạn nhiều rất ra thì còn vào năm hơn hay nếu việc "
     "sẽ lại trên bị theo nhưng mà nó chúng ta anh chị em phải làm",
     "đơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"},
    {"ru", Script::cyrillic,
     "и в не на я что с по это он как к но они мы она за то все из у от так его для же вы о бы только или быть был до если меня мне еще был их когда "
     "может уже нет даже ли при чтобы есть эти которые который также где вас нас очень этот",
     "ыэё"},
    {"bg", Script::cyrillic,
     "на и да в се за не от е с по си са като че до ще ми или но при това още има тя той те ние вие аз ни му което който които един една може бъде след "
     "само така много няма към през защото беше са ги го я тук тези този всички",
     "ъщ"},
    {"mk", Script::cyrillic,
     "на и во да се од за не е што со ќе го ги си ја но како по или ми тоа сум кој која кои до тој таа тие ние вие јас може бидат бил само ова многу при "
     "им сите има нема беше",
     "ѓќѕјљњџ"},
    {"uk", Script::cyrillic,
     "і в не на що з та це як у до я за він але для від вони ми ви ти вона є про так й або його її їх був була було бути коли щоб якщо також може мені "
     "все при після тільки дуже який яка які цей",
     "іїєґ"},
    {"ar", Script::arabic,
     "في من على إلى أن هذا هذه التي الذي عن مع ما لا هو هي كان كانت أو ثم بعد قبل كل بين ذلك تلك قد لم لن إن كما حيث غير يمكن عند خلال أنا أنت نحن هم وقد "
     "أي منذ حتى وهو وهي لكن و ليس",
     "ةىإأؤ"},
    {"fa", Script::arabic,
     "و در به از که این را با است برای آن یک می خود تا کند بر هم نیز های شد شده ها ما من او کرد باید هر بود اگر اما یا کنید دارد بسیار هستند شما آنها باشد "
     "چه دیگر ای شود",
     "پچژگکی"},
    {"ur", Script::arabic,
     "کے کی ہے میں اور سے کا کو اس ہیں کہ یہ نے پر بھی ایک تو ان جو ہو کر نہیں وہ تھا تھے تھی لیے ہم آپ کیا گیا رہا رہے ساتھ بعد یا تک جس کوئی اپنے ہوتا "
     "ہوتی ہوئے گئی دیا بہت",
     "ٹڈڑںہھےگچپ"},
    {"hi", Script::devanagari,
     "के में है की को से का और हैं ने पर यह भी एक इस कि वह हो नहीं तो जो या लिए अपने कर था थे थी उस साथ रहा रहे गया ही करने द्वारा बाद आप हम मैं ये किया "
     "अपनी अपना सकते होता होती करते जब तक बहुत कोई मेरे हूँ सकता सकती उनके उन्हें रूप",
     ""},
    {"mr", Script::devanagari,
     "आणि आहे या हे च व तो ती ते की मध्ये आहेत होते होता होती नाही एक साठी त्या त्यांच्या मला तुम्ही आम्ही मी आपण आपल्या केले केली करून करण्यासाठी "
     "म्हणून असे असा अशी काही पण तर हा ही त्याच्या तुमच्या माझ्या किंवा सर्व खूप झाला झाली झाले आता तुझ्या तिच्या येथे त्यामुळे तू करा असते असतात "
     "त्यांना",
     "ळ"},
    {"ne", Script::devanagari,
     "छ र को मा हो लाई ले पनि यो गर्न भएको छन् एक गरेको तथा थियो भने भन्ने हुन्छ गर्ने हुन तपाईं हामी म यस त्यो तर वा साथै बाट आफ्नो गर्दै हुने सबै धेरै "
     "भयो गर्नुहोस् मेरो हाम्रो छैन थिए कि रहेको गर्छ सक्छ हुन्छन् नेपाल",
     ""},
    {"bn", Script::bengali, "", ""},      {"pa", Script::gurmukhi, "", ""}, {"gu", Script::gujarati, "", ""}, {"ta", Script::tamil, "", ""},
    {"te", Script::telugu, "", ""},       {"kn", Script::kannada, "", ""},  {"ml", Script::malayalam, "", ""}, {"th", Script::thai, "", ""},
    {"ko", Script::hangul, "", ""},       {"ja", Script::kana, "", ""},
    {"zh-cn", Script::han, "", "们这国来时说对为过发会学经动种产关门开车马鸟长龙书电话请谢让认识问题间还没样点头见现东"},
    {"zh-tw", Script::han, "", "們這國來時說對為過發會學經動種產關門開車馬鳥長龍書電話請謝讓認識問題間還沒樣點頭見現東"},
    {"el", Script::greek, "", ""},        {"he", Script::hebrew, "", ""},
};

}  // namespace

std::span<const LanguageFacts> language_facts() { return kFacts; }

}  // namespace assay
