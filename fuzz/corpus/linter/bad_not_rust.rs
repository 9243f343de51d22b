fn f( {
